using System.Globalization;

namespace FleetSidecar.EndToEnd;

/// <summary>Work that is larger than what git may take of the memory.</summary>
public sealed class LargeFileTests : WorkspaceTests
{
    // With files of 100 MB and 64 MB for what is no file of each git, also of those at the other side.
    [Fact(Timeout = 120_000)]
    public async Task A_file_that_does_not_fit_into_memory_is_delivered_fetched_again_and_renamed_and_one_that_was_not_committed_is_rescued()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("bin/git", "exec prlimit --data=64000000 -- /usr/bin/git \"$@\"");
        await StartAsync("""
            if [ -f big ]; then git cat-file -s HEAD:big > "$FLEET_TEST_DIR/size"; mv big bigger; echo x >> bigger; else head -c 100000000 /dev/urandom > big; fi
            /usr/bin/git -c core.compression=0 add --all; /usr/bin/git commit --quiet -m Big; head -c 100000000 /dev/urandom > loose
            fleet-sidecar task complete
            """, environment: new Dictionary<string, string?> { ["PATH"] = $"{Scene["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });

        var address = $"file://{origin.Path}";
        await AssignAsync(address);
        await Wait.UntilAsync(() => Hub.Of("task_complete").Concat(Hub.Of("task_failed")).Any(), "the end", TimeSpan.FromMinutes(1));
        await Wait.ForAsync(() => RefAsync(origin, "refs/fleet/rescue/task-a/1"), "the rescue of a hundred megabytes", TimeSpan.FromMinutes(2));
        await AssignAsync(address, generation: 2);
        await Wait.UntilAsync(() => Hub.Of("task_complete").Count() == 2, "the second end", TimeSpan.FromMinutes(1));

        Assert.Equal("100000000", (await origin.GitAsync("cat-file", "-s", "refs/fleet/rescue/task-a/1:loose")).Trim());
        Assert.Equal("100000000", (await File.ReadAllTextAsync(Scene["size"])).Trim());
    }

    [Fact(Timeout = 120_000), Trait("kind", "an agent's files take all memory of the machine")]
    public async Task Each_git_of_ours_has_a_limit_of_memory_and_one_that_meets_it_is_named()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("bin/git", $"ulimit -d >> '{Scene["limits"]}'; exec prlimit --data=$(cat '{Scene["data"]}') -- /usr/bin/git \"$@\"");
        await File.WriteAllTextAsync(Scene["data"], "64000000");
        await StartAsync("echo x > new; /usr/bin/git add --all; /usr/bin/git commit --quiet -m New; fleet-sidecar task complete", environment: new Dictionary<string, string?> { ["PATH"] = $"{Scene["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });

        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => Hub.Of("task_complete").Any(), "the end");
        await File.WriteAllTextAsync(Scene["data"], "400000");
        await AssignAsync(origin.Path, "task-b");
        await Wait.UntilAsync(() => Hub.Of("task_failed").Any(), "the failure");

        Assert.All(await File.ReadAllLinesAsync(Scene["limits"]), line => Assert.InRange(long.Parse(line, CultureInfo.InvariantCulture), 512 * 1024, 4 * 1024 * 1024));
        Assert.Contains("git_out_of_memory", Hub.Of("task_failed").First().ToString(), StringComparison.Ordinal);
    }
}
