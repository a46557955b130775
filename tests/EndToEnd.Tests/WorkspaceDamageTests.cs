using System.Security.Cryptography;

namespace FleetSidecar.EndToEnd;

/// <summary>Mirrors and origins that lack objects: no agent is woken in a workspace that is not complete.</summary>
public sealed class WorkspaceDamageTests : WorkspaceTests
{
    private const string Look = """
        find . -name .git -prune -o -type f -print | sort | tr '\n' ' ' > "$FLEET_TEST_DIR/files-$FLEET_TASK_ID"
        """;

    private const string Commit = "echo \"$FLEET_TASK_ID\" >> work.txt; git add work.txt; git commit --quiet -m Work";
    private const string Done = "fleet-sidecar task complete";

    [Theory(Timeout = 120_000)]
    [InlineData("main:README.md", "lost")]
    [InlineData("main:README.md", "emptied")]
    [InlineData("main:README.md", "garbled")]
    [InlineData("main:deep/one.txt", "lost")]
    [InlineData("main:deep", "lost")]
    [InlineData("main^{tree}", "lost")]
    [InlineData("main", "lost")]
    public async Task L37_a_mirror_with_a_damaged_object_is_replaced_and_the_workspace_is_complete(string name, string damage)
    {
        var origin = await OriginAsync();
        await StartAsync($"{Look}\n{Commit}\n{Done}");
        await CompleteAsync(origin, "task-a", 1);
        Damage(Mirror(), await IdAsync(origin, name), damage);

        await CompleteAsync(origin, "task-b", 1);
        await CompleteAsync(origin, "task-c", 1);

        var whole = "./README.md ./deep/one.txt ";
        Assert.Equal(whole, File.ReadAllText(Scene["files-task-b"]));
        Assert.Equal(whole, File.ReadAllText(Scene["files-task-c"]));
        var delivered = await origin.GitAsync("ls-tree", "--name-only", "iris/task-b").TrimAsync();
        Assert.Equal("README.md\ndeep\nwork.txt", delivered);
        Assert.InRange(Replaced().Length, name == "main" ? 0 : 1, 1); // A commit that a branch names is fetched again.
    }

    [Theory(Timeout = 120_000)]
    [InlineData("mkfifo HEAD")]
    [InlineData("mkfifo config")]
    [InlineData("mkfifo packed-refs")]
    [InlineData("mkfifo refs/heads/main")]
    [InlineData("mkfifo objects/info/alternates")]
    [InlineData("mkfifo objects/pack/pack-0123456789012345678901234567890123456789.idx")]
    [InlineData("mkfifo fleet-checked")]
    [InlineData("mkdir config")]
    [InlineData("mkdir fleet-checked")]
    [InlineData("mkdir objects/info/alternates")]
    [InlineData("mkdir packed-refs.lock")]
    [InlineData("mkdir objects/pack/multi-pack-index")]
    [InlineData("truncate -s 2G packed-refs")]
    [InlineData("truncate -s 2G objects/info/alternates")]
    [InlineData("truncate -s 2G commondir")]
    [InlineData("truncate -s 2G objects/pack/multi-pack-index")]
    [InlineData("ln -s /dev/zero packed-refs")]
    public async Task What_git_never_makes_in_a_mirror_is_removed_and_holds_up_no_run(string harm)
    {
        var origin = await OriginAsync();
        await StartAsync($"{Look}\n{Commit}\n{Done}");
        await CompleteAsync(origin, "task-a", 1);
        await TestProgram.MustAsync("/bin/sh", "-c", $"cd '{Mirror()}' && rm -rf '{harm.Split(' ')[^1]}' && {harm}");

        await CompleteAsync(origin, "task-b", 1);
        await CompleteAsync(origin, "task-c", 1);

        Assert.Equal("./README.md ./deep/one.txt ", File.ReadAllText(Scene["files-task-c"]));
        Assert.InRange(Replaced().Length, 0, 1); // None where a look at the first workspace has removed it before.
    }

    [Fact(Timeout = 120_000)]
    public async Task An_earlier_attempts_branch_is_given_out_only_with_the_base_that_its_work_is_compared_with()
    {
        var origin = await OriginAsync();
        await StartAsync($"{Look}\ngit rm --quiet README.md; {Commit}\n{Done}");
        await CompleteAsync(origin, "task-a", 1);
        // Not in the tree of the branch, only in the base.
        Damage(Mirror(), await IdAsync(origin, "main:README.md"), "lost");

        await AssignAsync(origin.Path, "task-a", 2);
        await Scripts.StartedAsync(Scene, 2);

        Assert.Equal((await origin.GitAsync("show", "main:README.md"), 0), await ReadAsync(Mirror(), "main:README.md"));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_workspace_that_borrows_from_the_damaged_mirror_keeps_what_only_that_one_holds()
    {
        var origin = await OriginAsync();
        string[] make = ["commit-tree", "main^{tree}", "-p", "main", "-m", "A side that will be gone"];
        var side = await origin.GitAsync(make).TrimAsync();
        await origin.GitAsync("update-ref", "refs/heads/side", side);
        var first = $"""
            if [ "$FLEET_TASK_ID" = task-a ]; then
              {Scripts.WaitForGo}
              git log -1 --format=%s origin/side > "$FLEET_TEST_DIR/side"
            fi
            """;
        await StartAsync($"{first}\n{Look}\n{Commit}\n{Done}", """{ "agent": { "maxConcurrentRuns": 2 } }""");
        await AssignAsync(origin.Path, "task-a");
        await Scripts.StartedAsync(Scene);
        await origin.GitAsync("update-ref", "-d", "refs/heads/side");
        await origin.GitAsync("gc", "--quiet", "--prune=now");
        Damage(Mirror(), await IdAsync(origin, "main:README.md"), "lost");

        await CompleteAsync(origin, "task-b", 1);
        Assert.NotEqual(0, (await ReadAsync(origin.Path, side)).Code);
        Scripts.Go(Scene);
        await Wait.UntilAsync(() => Hub.Of("task_complete").Count() == 2, "the first task");

        Assert.Equal("A side that will be gone", File.ReadAllText(Scene["side"]).Trim());
        Assert.Equal("./README.md ./deep/one.txt ", File.ReadAllText(Scene["files-task-b"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_replaced_mirror_goes_with_the_last_workspace_and_the_next_task_does_not_miss_it()
    {
        var origin = await OriginAsync();
        await StartAsync($"{Look}\n{Commit}\n{Done}", """{ "workspace": { "keepFor": "00:00:00" } }""");
        await CompleteAsync(origin, "task-a", 1);
        Damage(Mirror(), await IdAsync(origin, "main:README.md"), "lost");
        await CompleteAsync(origin, "task-b", 1);

        await Wait.UntilAsync(() => Replaced().Length == 0, "the damaged copy to go", TimeSpan.FromSeconds(90));

        Assert.Equal("", File.ReadAllText(Path.Combine(Mirror(), "objects", "info", "alternates")));
        await CompleteAsync(origin, "task-c", 1);
        Assert.Equal("./README.md ./deep/one.txt ", File.ReadAllText(Scene["files-task-c"]));
    }

    [Theory(Timeout = 120_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task L37_an_origin_that_lacks_an_object_itself_wakes_nobody_and_is_named(bool partial)
    {
        var origin = await OriginAsync();
        var address = origin.Path;
        if (partial)
        {
            await origin.GitAsync("config", "uploadpack.allowFilter", "true");
            address = Scene["partial.git"];
            await origin.GitAsync("clone", "--quiet", "--bare", "--filter=blob:none", $"file://{origin.Path}", address);
        }
        else
        {
            Damage(origin.Path, await IdAsync(origin, "main:README.md"), "lost");
        }

        await StartAsync($"{Look}\n{Done}");
        await AssignAsync(address);
        var reason = (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString();

        Assert.Contains("origin_damaged", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")), path => Path.GetFileName(path).StartsWith(".making-", StringComparison.Ordinal));
        Assert.Empty(Scripts.Executions(Scene));
        Assert.Empty(Replaced()); // A copy that is no better takes nothing's place.
    }

    private string Mirrors => Path.Combine(Sidecar.State, "mirrors");

    private string[] Replaced() => Directory.GetDirectories(Mirrors, "*.replaced-*");

    private string Mirror() => Directory.GetDirectories(Mirrors, "*.git").Single();

    private async Task<GitOrigin> OriginAsync()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.Write("origin-seed/deep/one.txt", "one\n");
        await origin.GitAsync("-C", Scene["origin-seed"], "add", "--all");
        await origin.GitAsync("-C", Scene["origin-seed"], "commit", "--quiet", "--message", "Second commit");
        await origin.GitAsync("-C", Scene["origin-seed"], "push", "--quiet", origin.Path, "main");
        return origin;
    }

    private static Task<string> IdAsync(GitOrigin origin, string name) => origin.GitAsync("rev-parse", name).TrimAsync();

    private static async Task<(string Text, int Code)> ReadAsync(string repository, string name)
    {
        var (code, text) = await TestProgram.RunAsync("/usr/bin/git", ["-C", repository, "show", name]);
        return (text, code);
    }

    // The few objects of a small repository are files of their own.
    private static void Damage(string repository, string id, string damage)
    {
        var file = Path.Combine(repository, "objects", id[..2], id[2..]);
        Assert.True(File.Exists(file), $"{file} is not a loose object");
        File.Delete(file);
        if (damage != "lost")
        {
            File.WriteAllBytes(file, damage == "emptied" ? [] : RandomNumberGenerator.GetBytes(60));
        }
    }
}
