using System.Text.RegularExpressions;

namespace FleetSidecar.EndToEnd;

/// <summary>The README's first five minutes, done as printed; only paths, port and repository are this test's own.</summary>
public sealed partial class ReadmeTests : IDisposable
{
    private static readonly string Page = File.ReadAllText(Path.Combine(TestProgram.Root, "README.md"));
    private readonly TempDir _directory = new();
    private readonly int _port = FreePort.Take();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task The_first_five_minutes_work_as_printed()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        _directory.WriteScript("my-agent", """
            fleet-sidecar task show; fleet-sidecar task start; fleet-sidecar task progress --percent 40 --message "tests are green"
            echo readme > README; git add --all; git commit --quiet -m readme
            fleet-sidecar task complete --output "added the test"
            """);
        using var server = new GitDaemon(_directory);
        var address = server.AddressOf(origin);
        var commands = Commands(address).ToList();
        _directory.Write("sidecar.json", Filled(Configuration().Match(Page).Groups["json"].Value, address));

        using var hub = TestProgram.Start("/bin/sh", ["-c", $"exec {One(commands, "fleet-hub serve")}"], SearchPath(), _directory.Path);
        await hub.WaitForLineAsync(" accepts on ");
        await RunAsync(One(commands, "fleet-hub token create"));
        await RunAsync(One(commands, "fleet-sidecar config validate"));
        using var sidecar = TestProgram.Start("/bin/sh", ["-c", $"exec {One(commands, "fleet-sidecar run")}"], SearchPath(), _directory.Path);
        await sidecar.WaitForLineAsync("LinkUp]");
        Assert.Contains("UP", await RunAsync(One(commands, "fleet-sidecar status")), StringComparison.Ordinal);
        var task = (await RunAsync(One(commands, "fleet-hub task add"))).Trim();
        await Wait.ForAsync(async () => (await RunAsync(One(commands, "fleet-hub task list"))).Contains("completed", StringComparison.Ordinal) ? new object() : null, "the task to be completed");

        Assert.Contains("Add a README", await RunAsync(One(commands, "fleet-sidecar logs").Replace("task-0123456789abcdef", task, StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.NotNull(await origin.HeadAsync($"iris/{task}"));
    }

    [Fact]
    public void Every_command_that_a_document_prints_exists()
    {
        var scripts = ScriptName().Matches(Page + File.ReadAllText(Path.Combine(TestProgram.Root, "CONTRIBUTING.md"))).Select(match => match.Value).Distinct();

        Assert.All(scripts, script => Assert.True(File.Exists(Path.Combine(TestProgram.Root, script)), script));
    }

    private static string One(List<string> commands, string start) => Assert.Single(commands, command => command.StartsWith(start, StringComparison.Ordinal));

    private IEnumerable<string> Commands(string origin) => Shell().Matches(Page).SelectMany(block => block.Groups["lines"].Value.Split('\n'))
        .Where(line => line.StartsWith("fleet-", StringComparison.Ordinal))
        .Select(line => Filled(line, origin))
        .Select(line => line.StartsWith("fleet-sidecar", StringComparison.Ordinal) && !line.Contains(" task ", StringComparison.Ordinal) ? $"{line} --config {_directory["sidecar.json"]}" : line);

    private string Filled(string text, string origin) => text
        .Replace("/var/lib/fleet-hub", _directory["hub"], StringComparison.Ordinal)
        .Replace("/var/lib/fleet-sidecar", _directory["state"], StringComparison.Ordinal)
        .Replace("/etc/fleet-sidecar/hub-token", _directory["hub-token"], StringComparison.Ordinal)
        .Replace("/usr/local/bin/my-agent", _directory["my-agent"], StringComparison.Ordinal)
        .Replace("https://git.example/app.git", origin, StringComparison.Ordinal)
        .Replace("127.0.0.1:7070", $"127.0.0.1:{_port}", StringComparison.Ordinal);

    private async Task<string> RunAsync(string command)
    {
        var (code, text) = await TestProgram.RunAsync("/bin/sh", ["-c", command], SearchPath(), _directory.Path);
        return code == 0 ? text : throw new InvalidOperationException($"'{command}' ended with {code}: {text}");
    }

    private static Dictionary<string, string?> SearchPath() => new()
    {
        ["PATH"] = $"{Path.GetDirectoryName(TestProgram.Sidecar)}:{Path.GetDirectoryName(TestProgram.Hub)}:/usr/local/bin:/usr/bin:/bin",
    };

    [GeneratedRegex(@"```sh\n(?<lines>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Shell();

    [GeneratedRegex(@"```jsonc\n(?<json>.*?)```", RegexOptions.Singleline)]
    private static partial Regex Configuration();

    [GeneratedRegex(@"scripts/[a-z-]+\.sh")]
    private static partial Regex ScriptName();
}
