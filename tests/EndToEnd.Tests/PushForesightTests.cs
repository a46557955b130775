using System.Net;
using System.Net.Sockets;

namespace FleetSidecar.EndToEnd;

/// <summary>What would refuse the push is found before the wake; what only failed on the way is not taken for a refusal.</summary>
public sealed class PushForesightTests : WorkspaceTests
{
    private const string Work =
        "echo x > work.txt; git add --all; git commit --quiet -m Work\nfleet-sidecar task complete";

    [Theory(Timeout = 120_000)]
    [InlineData("refs/heads/iris", "refs/heads/iris/task-a cannot be made; rename refs/heads/iris there, or give the agent another agent.id")]
    [InlineData("refs/heads/iris/task-a/more", "refs/heads/iris/task-a cannot be made; rename refs/heads/iris/task-a/more there")]
    [InlineData("refs/fleet/task-a", "rename refs/fleet/task-a there")]
    [InlineData("refs/fleet/rescue/task-a", "rename refs/fleet/rescue/task-a there")]
    public async Task L41_a_name_at_the_origin_that_excludes_the_tasks_refs_is_told_before_the_wake(string name, string told)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await origin.GitAsync("update-ref", name, "main");
        await StartAsync(Work);

        var failed = await FailAsync(origin, "task-a", 1);

        Assert.Equal("workspace", failed.GetProperty("code").GetString());
        Assert.StartsWith("branch_name_taken", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains(told, failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));
    }

    [Fact(Timeout = 120_000)]
    public async Task Names_that_only_look_alike_are_in_nobodys_way()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        string[] names =
            ["refs/heads/iri", "refs/heads/iris-2", "refs/heads/iris/task-ab/c", "refs/heads/x/iris", "refs/tags/iris"];
        foreach (var name in names)
        {
            await origin.GitAsync("update-ref", name, "main");
        }

        await StartAsync(Work);

        await CompleteAsync(origin, "task-a", 1);
    }

    [Fact(Timeout = 120_000)]
    public async Task L41_an_origin_that_serves_reads_only_wakes_nobody()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var server = new GitDaemon(Scene, takesPushes: false);
        await StartAsync(Work);

        await AssignAsync(server.AddressOf(origin));
        var reason = (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString();

        Assert.StartsWith("push_denied", reason, StringComparison.Ordinal);
        Assert.Contains("git:// serves this repository for reading only", reason, StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));
    }

    [Fact(Timeout = 120_000)]
    public async Task L41_a_credential_that_may_not_write_wakes_nobody_except_where_a_task_may_need_no_push()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await using var server = await HttpOrigin.StartAsync(Scene);
        server.ToPush = (403, "Write access to repository not granted.\n");
        var address = await server.AddressOfAsync(origin);
        await StartAsync("fleet-sidecar task complete --output looked");

        await AssignAsync(address);
        var reason = (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString();
        Assert.StartsWith("push_denied", reason, StringComparison.Ordinal);
        Assert.Contains("write access", reason, StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));

        await Hub.SendAsync($$"""
            {"type":"task_assign","task_id":"task-b","generation":1,"description":"Look","repo":"{{address}}","skip_verification":true}
            """);
        await Hub.WaitForAsync("task_complete");
        Assert.Contains(Sidecar.Program.Lines, line => line.Contains("PushWouldFail]", StringComparison.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_network_that_fails_is_no_refusal_and_the_deadline_tells_the_last_fault()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await using var server = await HttpOrigin.StartAsync(Scene);
        server.ToPush = (503, "");
        await StartAsync(Work, """{ "deadlines": { "submit": "00:00:04" } }""");

        await AssignAsync(await server.AddressOfAsync(origin));
        var failed = await Hub.WaitForAsync("task_failed");

        Assert.Single(Scripts.Executions(Scene));
        var reason = failed.GetProperty("reason").GetString();
        Assert.Equal("submit", failed.GetProperty("deadline").GetString());
        Assert.Contains("the last fault was origin_unreachable: git push: ", reason, StringComparison.Ordinal);
        Assert.Contains("503", reason, StringComparison.Ordinal);
        Assert.Contains(Sidecar.Program.Lines, line => line.Contains("PushNotForeseen]", StringComparison.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task L47_a_git_that_wants_signed_pushes_where_the_origin_cannot_is_told_at_once()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.Write("home/.gitconfig", "[push]\n\tgpgSign = true\n");
        await StartAsync(Work, environment: new Dictionary<string, string?> { ["HOME"] = Scene["home"] });

        var reason = (await FailAsync(origin, "task-a", 1)).GetProperty("reason").GetString();

        Assert.StartsWith("signed_push_unsupported", reason, StringComparison.Ordinal);
        Assert.Contains("push.gpgSign", reason, StringComparison.Ordinal);
        Assert.Empty(Scripts.Executions(Scene));
    }

    [Fact(Timeout = 120_000)]
    public async Task L47_a_refusal_that_comes_at_the_push_is_final_and_tells_what_the_origin_said()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        var hook = Path.Combine(origin.Path, "hooks", "pre-receive");
        Scene.WriteScript("hook", "echo 'GitLab: LFS objects are missing. Ensure LFS is properly set up.' >&2; exit 1");
        Directory.CreateDirectory(Path.GetDirectoryName(hook)!);
        File.Move(Scene["hook"], hook);
        using var server = new GitDaemon(Scene);
        await StartAsync(Work);

        var reason = (await FailAsync(origin, "task-a", 1, address: server.AddressOf(origin))).GetProperty("reason").GetString();

        Assert.StartsWith("lfs_objects_missing: git push: remote: GitLab: LFS", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(Sidecar.Program.Lines, line => line.Contains("SubmitAgain]", StringComparison.Ordinal));
    }

    [Fact(Timeout = 120_000)]
    public async Task L47_a_deadline_that_passes_while_git_waits_tells_which_command()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await StartAsync(Work, """{ "deadlines": { "prepare": "00:00:02" } }""");

        await AssignAsync($"http://{silent.LocalEndpoint}/app.git");
        var failed = await Hub.WaitForAsync("task_failed");

        var reason = failed.GetProperty("reason").GetString();
        Assert.Equal("prepare", failed.GetProperty("deadline").GetString());
        Assert.Contains("git clone has been running for ", reason, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task A_detached_head_at_the_origin_is_named_unless_the_task_names_a_branch()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await origin.GitAsync("update-ref", "--no-deref", "HEAD", "main");
        await StartAsync(Work);

        var reason = (await FailAsync(origin, "task-a", 1)).GetProperty("reason").GetString();
        Assert.Equal("head_detached: the origin's HEAD names no branch; give the task a branch", reason);

        await Hub.SendAsync($$"""
            {"type":"task_assign","task_id":"task-b","generation":1,"description":"x","repo":"{{origin.Path}}","branch":"main"}
            """);
        var result = (await Hub.WaitForAsync("task_complete")).GetProperty("result");
        Assert.Equal("iris/task-b", result.GetProperty("branch").GetString());
    }
}
