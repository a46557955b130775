namespace FleetSidecar.EndToEnd;

/// <summary>A connection to the origin, or a git, that ends without a word is no refusal: finished work is submitted again.</summary>
[Trait("kind", "the end of a connection is taken for a refusal")]
public sealed class SilentEndTests : WorkspaceTests
{
    private const string Work = """
        echo x > new; git add --all; git commit --quiet -m New
        touch "$FLEET_TEST_DIR/committed"; while [ ! -e "$FLEET_TEST_DIR/go" ]; do sleep 0.05; done
        fleet-sidecar task complete
        """;

    [Fact(Timeout = 120_000)]
    public async Task A_server_that_closes_connections_unanswered_for_a_while_costs_time_alone()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var server = new GitDaemon(Scene);
        var address = new Uri(server.AddressOf(origin));
        using var proxy = new TcpProxy(address.Port);
        await StartAsync(Work);
        await AssignAsync($"git://127.0.0.1:{proxy.Port}{address.AbsolutePath}");
        await Wait.UntilAsync(() => File.Exists(Scene["committed"]), "the commit");

        proxy.CloseUnanswered();
        Scripts.Go(Scene);
        await Wait.UntilAsync(() => proxy.Unanswered >= 3, "three connections");
        proxy.Heal();

        Assert.Equal("task-a", (await Hub.WaitForAsync("task_complete")).GetProperty("task_id").GetString());
        Assert.NotNull(await origin.HeadAsync("iris/task-a"));
        Assert.Contains("origin_unreachable: git ls-remote: fatal: Could not read from remote repository", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task An_origin_that_is_away_for_a_while_before_the_work_begins_costs_time_alone()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var server = new GitDaemon(Scene);
        var address = new Uri(server.AddressOf(origin));
        using var proxy = new TcpProxy(address.Port);
        var through = $"git://127.0.0.1:{proxy.Port}{address.AbsolutePath}";
        Scripts.Go(Scene);
        await StartAsync(Work);
        await AssignAsync(through, "task-a", 1);
        await Hub.WaitForAsync("task_complete");

        proxy.CloseUnanswered();
        await AssignAsync(through, "task-b", 1);
        await Wait.UntilAsync(() => proxy.Unanswered >= 5, "more tries than an address gets that never answered", TimeSpan.FromSeconds(60));
        Assert.Empty(Hub.Of("task_failed"));
        proxy.Heal();

        await Wait.UntilAsync(() => Hub.Of("task_complete").Count() == 2, "the second task's end", TimeSpan.FromSeconds(60));
        Assert.NotNull(await origin.HeadAsync("iris/task-b"));
    }

    [Theory(Timeout = 120_000), InlineData(true), InlineData(false)]
    public async Task An_origin_that_stays_away_is_told_by_name_before_the_deadline(bool known)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var server = new GitDaemon(Scene);
        var address = new Uri(server.AddressOf(origin));
        using var proxy = new TcpProxy(address.Port);
        var through = $"git://127.0.0.1:{proxy.Port}{address.AbsolutePath}";
        Scripts.Go(Scene);
        await StartAsync(Work, known ? """{ "deadlines": { "prepare": "00:00:20" } }""" : "{}");
        if (known)
        {
            await AssignAsync(through, "task-a", 1);
            await Hub.WaitForAsync("task_complete");
        }

        proxy.CloseUnanswered();
        await AssignAsync(through, "task-b", 1);

        var failed = await Hub.WaitForAsync("task_failed");
        Assert.Contains("origin_unreachable", failed.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.False(failed.TryGetProperty("deadline", out _), failed.ToString());
        Assert.InRange(proxy.Unanswered, 3, known ? 9 : 4);
    }

    [Fact(Timeout = 120_000), Trait("kind", "work that the origin has is told as failed")]
    public async Task A_hook_at_the_origin_that_does_not_end_after_a_push_costs_no_work()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        using var server = new GitDaemon(Scene);
        Scene.WriteScript(Path.Combine(Path.GetRelativePath(Scene.Path, origin.Path), "hooks", "post-receive"), $"while [ ! -e '{Scene["never"]}' ]; do sleep 0.2; done");
        Scripts.Go(Scene);
        await StartAsync(Work, """{ "deadlines": { "submit": "00:00:50" } }""");
        await AssignAsync(server.AddressOf(origin));

        await Wait.UntilAsync(() => Hub.Of("task_complete").Concat(Hub.Of("task_failed")).Any(), "the end", TimeSpan.FromSeconds(90));
        Scene.Write("never", "");
        Assert.True(Hub.Of("task_complete").Any(), Sidecar.Program.Text);
        Assert.Contains("PushHeld] run_", Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.NotNull(await origin.HeadAsync("iris/task-a"));
    }

    [Fact(Timeout = 120_000), Trait("kind", "the user's own settings of git change what is pushed")]
    public async Task A_push_carries_the_work_and_nothing_else_whatever_the_user_has_set()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.Write("home/.gitconfig", "[push]\n\tfollowTags = true\n\trecurseSubmodules = only\n[user]\n\tname = Iris\n\temail = iris@example.org\n");
        Scripts.Go(Scene);
        await StartAsync($"export HOME='{Scene["home"]}'; git tag -a -m Mine mine\n{Work}", environment: new Dictionary<string, string?> { ["HOME"] = Scene["home"] });
        await AssignAsync(origin.Path);

        await Wait.UntilAsync(() => Hub.Of("task_complete").Concat(Hub.Of("task_failed")).Any(), "the end", TimeSpan.FromSeconds(60));
        Assert.True(Hub.Of("task_complete").Any(), Sidecar.Program.Text);
        Assert.NotNull(await origin.HeadAsync("iris/task-a"));
        Assert.Equal("", (await origin.GitAsync("tag")).Trim());
    }

    [Theory(Timeout = 120_000)]
    [InlineData("KILL", "git_interrupted")]
    [InlineData("TERM", "git_interrupted")]
    [InlineData("PIPE", "origin_unreachable")] // It wrote into a connection that was closed already.
    public async Task A_git_that_somebody_ends_is_run_again(string signal, string code)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        Scene.WriteScript("bin/git", $$"""
            for word; do
              if [ "$word" = push ] && [ -e '{{Scene["go"]}}' ] && [ ! -e '{{Scene["ended"]}}' ]; then touch '{{Scene["ended"]}}'; exec env {{(signal == "PIPE" ? "--default-signal=PIPE" : "")}} sh -c 'kill -{{signal}} $$'; fi
            done
            exec /usr/bin/git "$@"
            """);
        await StartAsync(Work.Replace("git ", "/usr/bin/git ", StringComparison.Ordinal), environment: new Dictionary<string, string?> { ["PATH"] = $"{Scene["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });
        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => File.Exists(Scene["committed"]), "the commit");

        Scripts.Go(Scene);

        await Wait.UntilAsync(() => Hub.Of("task_complete").Concat(Hub.Of("task_failed")).Any(), "the end");
        Assert.True(Hub.Of("task_complete").Any(), Sidecar.Program.Text);
        Assert.Contains($"{code}: git push: exit code", Sidecar.Program.Text, StringComparison.Ordinal);
        Assert.NotNull(await origin.HeadAsync("iris/task-a"));
    }
}
