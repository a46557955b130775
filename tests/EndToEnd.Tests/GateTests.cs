using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>The merge gate as a command, on real repositories, some of them hostile.</summary>
public sealed class GateTests : IDisposable
{
    private const string Task = "task-1", Branch = "iris/task-1";

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task Current_verified_small_work_is_merged_unseen_and_each_missing_fact_keeps_it_from_that()
    {
        var origin = await WorkAsync("echo one > src.txt; git add --all; git commit -qm work");

        Assert.Equal((0, "auto-merge", ""), await CheckAsync(origin));
        Assert.Equal((10, "review", "verification_missing"), await CheckAsync(origin, report: ""));
        Assert.Equal((10, "review", "generation_unknown"), await CheckAsync(origin, generation: ""));
        Assert.Equal((20, "escalate", "wrong_branch"), await CheckAsync(origin, agent: "maia"));
        Assert.Equal((10, "review", "verification_incomplete"), await CheckAsync(origin, status: "skipped"));
        Assert.Equal((20, "escalate", "verification_failed"), await CheckAsync(origin, status: "fail"));
        Assert.Equal((10, "review", "branch_missing"), await CheckAsync(origin, branch: "iris/task-2"));
        Assert.Equal((10, "review", "target_missing"), await CheckAsync(origin, more: ["--base", "trunk"]));
        Assert.Equal((10, "review", "repository_unreadable"), await CheckAsync(origin, repository: _directory["nowhere.git"]));
        Assert.Equal((10, "review", "repository_unreadable"), await CheckAsync(origin, repository: "https://127.0.0.1:9/x.git"));
        Assert.Empty(Directory.GetDirectories(_directory["tmp"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task An_older_generation_is_escalated_and_a_branch_that_moved_after_its_submission_is_for_review()
    {
        var origin = await WorkAsync("echo one > src.txt; git add --all; git commit -qm work");
        await origin.GitAsync("update-ref", $"refs/fleet/{Task}/12", Branch);
        Assert.Equal((20, "escalate", "generation_stale"), await CheckAsync(origin));

        await origin.GitAsync("update-ref", "-d", $"refs/fleet/{Task}/12");
        await origin.GitAsync("update-ref", $"refs/fleet/{Task}/1", "main");
        Assert.Equal((10, "review", "branch_moved"), await CheckAsync(origin));

        await origin.GitAsync("update-ref", "-d", $"refs/fleet/{Task}/1");
        Assert.Equal((10, "review", "generation_unproved"), await CheckAsync(origin));
    }

    [Fact(Timeout = 120_000)]
    public async Task History_that_was_rewritten_or_comes_from_elsewhere_is_never_merged_unseen()
    {
        var origin = await WorkAsync("echo one > src.txt; git add --all; git commit -qm one");
        await origin.GitAsync("update-ref", $"refs/fleet/{Task}/0", Branch);
        await PushAsync(origin, "git reset -q --hard origin/main; echo two > src.txt; git add --all; git commit -qm two");
        Assert.Equal((10, "review", "earlier_work_dropped"), await CheckAsync(origin));

        await PushAsync(origin, "git checkout -q --orphan other; git commit -qm orphan");
        var (code, _, reasons) = await CheckAsync(origin);
        Assert.Equal(20, code);
        Assert.Contains("unrelated_history", reasons, StringComparison.Ordinal);

        await PushAsync(origin, "git checkout -qf -B again origin/main; echo three > src.txt; git add --all; git commit -qm three");
        var foreign = (await origin.GitAsync("commit-tree", "-m", "foreign", "main^{tree}")).Trim();
        (code, _, reasons) = await CheckAsync(origin, baseCommit: foreign);
        Assert.Equal(20, code);
        Assert.Contains("base_not_in_target", reasons, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000)]
    [InlineData("true", 10, "no_change")]
    [InlineData("git commit -q --allow-empty -m empty", 10, "no_change")]
    [InlineData("mkdir -p .github/workflows; echo x > .github/workflows/ci.yml", 20, "forbidden_path")]
    [InlineData("mkdir -p .github; git mv README.md .github/README.md", 20, "forbidden_path")]
    [InlineData("echo '{}' > package.json", 10, "sensitive_path")]
    [InlineData("printf x > $'a\\nb.txt'", 10, "odd_name")]
    [InlineData("printf x > $'\\xff\\xfe.txt'", 10, "odd_name")]
    [InlineData("printf x > ./--upload-pack=touch", 10, "odd_name")]
    [InlineData("for i in {1..51}; do echo $i > f$i.txt; done", 10, "too_many_files")]
    [InlineData("seq 1001 > long.txt", 10, "too_many_lines")]
    [InlineData("git rm -q d1 d2 d3 d4 d5 d6", 20, "too_many_deletions")]
    [InlineData("ln -s ../../etc/passwd link", 20, "link_leads_out")]
    [InlineData("ln -s /etc/passwd link", 20, "link_leads_out")]
    [InlineData("ln -s README.md link", 0, "")]
    [InlineData("echo x > run; chmod +x run", 10, "executable")]
    [InlineData("head -c 2000000 /dev/zero > big.bin", 10, "large_file")]
    [InlineData("git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,sub; touch .no-add", 20, "submodule")]
    [InlineData("echo '* filter=evil diff=evil' > .gitattributes; echo x > a.txt", 20, "forbidden_path")]
    public async Task Each_kind_of_change_is_judged_by_what_it_is(string change, int code, string reason)
    {
        var origin = await WorkAsync($"{change}\n[ -e .no-add ] && rm .no-add || git add --all; git commit -qm work || true");

        var (exit, _, reasons) = await CheckAsync(origin);

        Assert.Equal(code, exit);
        Assert.Contains(reason, reasons, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000)]
    public async Task Limits_and_paths_come_from_the_configuration_and_a_rename_counts_at_both_places()
    {
        var config = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", "/bin/true", """{ "gate": { "allowedPaths": ["docs/**"], "maxLines": 1 } }""").ConfigFile;
        var origin = await WorkAsync("mkdir docs; git mv README.md docs/README.md; git commit -qm move");

        var (code, _, reasons) = await CheckAsync(origin, more: ["--config", config]);

        Assert.Equal((10, "outside_allowed_paths"), (code, reasons));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_daemon_on_this_machine_knows_what_was_checked()
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Scripts.Worker(_directory)).StartAsync();
        Scripts.Go(_directory);
        await hub.SendAsync($$"""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x","repo":"{{origin.Path}}"}""");
        await hub.WaitForAsync("task_complete");
        await origin.GitAsync("update-ref", $"refs/fleet/{Task}/1", Branch);

        Assert.Equal((0, "auto-merge", ""), await CheckAsync(origin, report: "", more: ["--config", sidecar.ConfigFile]));
    }

    [Theory(Timeout = 60_000)]
    [InlineData("--branch x")]
    [InlineData("--repository ext::sh --branch x")]
    [InlineData("--repository /nowhere --branch -x")]
    [InlineData("--repository /nowhere --branch a..b")]
    [InlineData("--repository /nowhere --branch x --task a/b")]
    [InlineData("--repository /nowhere --branch x --generation -1")]
    [InlineData("--repository /nowhere --branch x --generation many")]
    [InlineData("--repository /nowhere --branch x --verification /nonexistent")]
    public async Task Bad_input_is_one_line_and_64(string arguments)
    {
        var (exit, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["gate", "check", .. arguments.Split(' ')]);

        Assert.Equal(64, exit);
        Assert.StartsWith("fleet-sidecar: ", Assert.Single(text.Split('\n')), StringComparison.Ordinal);
    }

    private async Task<GitOrigin> WorkAsync(string commands)
    {
        var origin = await GitOrigin.CreateAsync(_directory);
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""
            set -eu
            cd '{{_directory.Path}}'
            export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
            git clone -q origin.git work 2>/dev/null && cd work
            for i in 1 2 3 4 5 6; do echo $i > d$i; done; git add --all; git commit -qm base; git push -q origin main
            """);
        await PushAsync(origin, $"git checkout -q -b work origin/main; {commands}");
        return origin;
    }

    // What an agent of generation 1 did and submitted.
    private async Task PushAsync(GitOrigin origin, string commands)
    {
        await TestProgram.MustAsync("/bin/bash", "-c", $$"""
            set -eu
            cd '{{_directory["work"]}}'
            export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
            {{commands}}
            git push -q --force origin HEAD:refs/heads/{{Branch}} HEAD:refs/fleet/{{Task}}/1
            """);
        Assert.NotNull(await origin.HeadAsync(Branch));
    }

    private async Task<(int Code, string Verdict, string Reasons)> CheckAsync(GitOrigin origin, string branch = Branch, string agent = "iris", string generation = "1", string? report = null, string status = "pass",
        string? baseCommit = null, string? repository = null, string[]? more = null)
    {
        var based = baseCommit is null ? "" : $"\"base_commit\":\"{baseCommit}\",";
        report ??= _directory.Write("report.json", $$"""{"type":"task_complete","task_id":"{{branch.Split("/")[1]}}","generation":1,"result":{ {{based}}"commit":"{{await origin.HeadAsync(Branch)}}"},"verification_report":{"status":"{{status}}","checks":[{"type":"commits","status":"{{status}}"}] } }""");
        Directory.CreateDirectory(_directory["tmp"]);
        string[] arguments = ["gate", "check", "--json", "--repository", repository ?? origin.Path, "--branch", branch, "--agent", agent, "--task", branch.Split('/')[1],
            .. generation.Length > 0 ? ["--generation", generation] : Array.Empty<string>(), .. report.Length > 0 ? ["--verification", report] : Array.Empty<string>(), .. more ?? []];
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, arguments, new Dictionary<string, string?> { ["TMPDIR"] = _directory["tmp"] });
        Assert.True(code is 0 or 10 or 20, text);
        var verdict = JsonDocument.Parse(text).RootElement;
        return (code, verdict.GetProperty("verdict").GetString()!, string.Join(' ', verdict.GetProperty("reasons").EnumerateArray().Select(reason => reason.GetProperty("code").GetString()).Distinct()));
    }
}
