using System.Globalization;

namespace FleetSidecar.EndToEnd;

/// <summary>What a git of the sidecar leaves on the disk when it is killed does not pile up.</summary>
public sealed class GitLeftoverTests : WorkspaceTests
{
    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, RecurseSubdirectories = true };

    // Real git, killed in the middle of each look at a large file that was not committed.
    [Fact(Timeout = 180_000), Trait("kind", "killed programs leave files")]
    public async Task Half_written_objects_of_a_rescue_that_is_killed_again_and_again_do_not_fill_the_disk()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("bin/git", $$"""
            for word; do [ "$word" != add ] || add=yes; done
            [ -n "$add" ] || exec /usr/bin/git "$@"
            echo look >> '{{Scene["looks"]}}'
            /usr/bin/git -c core.compression=0 "$@" & git=$!
            while [ -z "$(find '{{Scene["iris-state/workspaces"]}}' -name 'tmp_pack_*')" ] && kill -0 $git 2>/dev/null; do sleep 0.01; done
            kill -9 $git; exec sleep 60
            """);
        await StartAsync("head -c 200000000 /dev/zero > loose; exit 3", """{ "workspace": { "gitTimeout": "00:00:02" } }""",
            new Dictionary<string, string?> { ["PATH"] = $"{Scene["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });
        await AssignAsync(origin.Path);

        await Wait.UntilAsync(() => Looks() >= 3, "three looks", TimeSpan.FromMinutes(2));

        var left = Directory.EnumerateFiles(Directory.GetDirectories(Scene["iris-state/workspaces"]).Single() + "/work", "tmp_*", All).Select(file => new FileInfo(file)).ToList();
        Assert.True(left.Count <= 1, string.Join('\n', left.Select(file => string.Create(CultureInfo.InvariantCulture, $"{file.FullName} {file.Length}"))));
    }

    [Fact(Timeout = 120_000), Trait("kind", "killed programs leave files")]
    public async Task Half_written_objects_of_a_fetch_that_was_killed_are_gone_after_the_next_one()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo x > new; git add --all; git commit --quiet -m New; fleet-sidecar task complete");
        await CompleteAsync(origin, "task-a", 1);
        var mirror = Directory.GetDirectories(Scene["iris-state/mirrors"]).Single();
        string[] left = ["objects/pack/tmp_pack_aB3xYz", "objects/pack/tmp_idx_aB3xYz", "objects/ab/tmp_obj_aB3xYz", "objects/tmp_objdir-x"];
        foreach (var name in left)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(mirror, name))!);
            await File.WriteAllTextAsync(Path.Combine(mirror, name), "half");
        }

        await CompleteAsync(origin, "task-b", 1);

        Assert.DoesNotContain(left, name => File.Exists(Path.Combine(mirror, name)));
        Assert.DoesNotContain(Sidecar.Program.Lines, line => line.Contains("MirrorReplaced", StringComparison.Ordinal));
    }

    [Fact(Timeout = 120_000), Trait("kind", "what a program leaves behind holds its output")]
    public async Task A_process_that_git_leaves_with_its_output_in_hand_delays_no_command_to_its_limit()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("bin/git", $"""
            case " $* " in *' push '*|*' ls-remote '*|*' fetch '*) setsid sleep 100 & echo $! >>'{Scene["left"]}';; esac
            exec /usr/bin/git "$@"
            """);
        try
        {
            await StartAsync("echo x > new; git add --all; git commit --quiet -m New; fleet-sidecar task complete", """{ "workspace": { "gitTimeout": "00:00:20" }, "deadlines": { "submit": "00:00:30" } }""",
                new Dictionary<string, string?> { ["PATH"] = $"{Scene["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });

            await CompleteAsync(origin, "task-a", 1);

            Assert.True(File.Exists(Scene["left"]), "git was not run by the name that was given");
        }
        finally
        {
            await TestProgram.RunAsync("/bin/kill", File.Exists(Scene["left"]) ? File.ReadAllLines(Scene["left"]) : ["-l"]);
        }
    }

    private int Looks() => File.Exists(Scene["looks"]) ? File.ReadAllLines(Scene["looks"]).Length : 0;
}
