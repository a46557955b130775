namespace FleetSidecar.EndToEnd;

/// <summary>What the built programs say about themselves: completion in a real bash, and pages that <c>man</c> takes without a word.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000)]
    [InlineData("fleet-sidecar dra", "drain")]
    [InlineData("fleet-sidecar task ", "complete fail handoff progress show start")]
    [InlineData("fleet-sidecar task fail --", "--help --reason")]
    [InlineData("fleet-sidecar task fail --reason run", "")] // A value, not a command.
    [InlineData("fleet-sidecar task fail --reason run --", "--help --reason")]
    [InlineData("fleet-sidecar run --config ", "sidecar.json space in name")]
    [InlineData("fleet-sidecar run --config = sid", "sidecar.json")]
    [InlineData("fleet-sidecar run --config sidecar.json --s", "--set")]
    [InlineData("fleet-sidecar completion ", "bash fish zsh")]
    [InlineData("fleet-sidecar agent", "")] // Hidden.
    [InlineData("fleet-hub serve --data ", "space in name")]
    [InlineData("fleet-hub task list --status de", "dead_letter")]
    [InlineData("fleet-hub task list --status = de", "dead_letter")]
    [InlineData("fleet-hub token create --role ", "agent enrol operator")]
    [InlineData("fleet-hub --v", "--version")]
    public async Task Bash_completes_commands_options_words_and_files(string line, string offered)
    {
        var program = line.Split(' ')[0];
        var (code, script) = await TestProgram.RunAsync(program == "fleet-hub" ? TestProgram.Hub : TestProgram.Sidecar, ["completion", "bash"]);
        Assert.Equal(0, code);
        _directory.Write("completion", script);
        _directory.Write("here/sidecar.json", "{}");
        Directory.CreateDirectory(_directory["here/space in name"]);

        // As readline calls it; compopt works only there.
        var answer = await TestProgram.MustAsync("/bin/bash", "--norc", "-c", $$"""
            set -eu
            . '{{_directory["completion"]}}'
            cd '{{_directory["here"]}}'
            compopt() { :; }
            complete -p {{program}} > /dev/null
            IFS=' ' read -ra COMP_WORDS <<< '{{line}}'
            case '{{line}}' in *' ') COMP_WORDS+=('') ;; esac
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _{{program.Replace('-', '_')}}
            for word in "${COMPREPLY[@]}"; do echo "$word"; done
            """);

        Assert.Equal(offered.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal), answer.Split((char[])['\n', ' '], StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("bash", "-n")]
    [InlineData("zsh", "-n")]
    [InlineData("fish", "-n")]
    public async Task Each_shell_can_read_its_script(string shell, string check)
    {
        var path = $"/usr/bin/{shell}";
        Assert.SkipWhen(!File.Exists(path), $"{shell} is not installed");
        foreach (var program in new[] { TestProgram.Sidecar, TestProgram.Hub })
        {
            var (code, script) = await TestProgram.RunAsync(program, ["completion", shell]);
            Assert.Equal(0, code);
            Assert.Equal("", await TestProgram.MustAsync(path, check, _directory.Write("script", script)));
        }
    }

    [Theory(Timeout = 60_000)]
    [InlineData("fleet-sidecar", "")]
    [InlineData("fleet-hub", "")]
    [InlineData("fleet-sidecar", "docs/configuration.md")]
    public async Task A_manual_page_is_set_without_a_warning(string program, string from)
    {
        const string Groff = "/usr/bin/groff";
        Assert.SkipWhen(!File.Exists(Groff), "groff is not installed");
        string[] source = from.Length == 0 ? [] : ["--configuration", Path.Combine(TestProgram.Root, from)];
        var (code, page) = await TestProgram.RunAsync(program == "fleet-hub" ? TestProgram.Hub : TestProgram.Sidecar, ["man", "--date", "2026-01-01", .. source]);
        Assert.Equal(0, code);
        var file = _directory.Write("page", page);

        Assert.Equal("", await TestProgram.MustAsync("/bin/sh", "-c", $"{Groff} -man -ww -Tutf8 '{file}' 2>&1 >/dev/null"));
        Assert.DoesNotMatch(@"[^\x00-\x7f]", page);
    }
}
