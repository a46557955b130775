using System.Text;
using System.Text.Json;
using FleetSidecar.Gate;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>The merge gate's rules: what each violation comes to, and that none makes up for another.</summary>
public sealed class GateTests
{
    private const string Head = "aaaa", Base = "bbbb";

    private static readonly GateOptions Options = new() { AllowedPaths = ["src/**", "docs/**"], ExecutablePaths = ["src/bin/**"], MaxFiles = 3, MaxLines = 100, MaxDeletedFiles = 1, MaxFileBytes = 1000, MaxBytes = 1700 };

    // Each adds one violation to whatever the facts are.
    private static readonly (string Code, GateWeight Weight, Func<GateFacts, GateFacts> Add)[] Violations =
    [
        ("repository_unreadable", GateWeight.Review, facts => facts with { Unreadable = "origin_unreachable" }),
        ("branch_missing", GateWeight.Review, facts => facts with { Head = null }),
        ("target_missing", GateWeight.Review, facts => facts with { TargetHead = null }),
        ("branch_is_target", GateWeight.Escalate, facts => facts with { Target = facts.Branch }),
        ("wrong_branch", GateWeight.Escalate, facts => facts with { WantedBranch = "iris/task-9" }),
        ("unrelated_history", GateWeight.Escalate, facts => facts with { MergeBase = null }),
        ("base_not_in_target", GateWeight.Escalate, facts => facts with { ReportedBaseHolds = false }),
        ("generation_unknown", GateWeight.Review, facts => facts with { Generation = null }),
        ("generation_unknown", GateWeight.Review, facts => facts with { Task = null }),
        ("generation_stale", GateWeight.Escalate, facts => facts with { HighestGeneration = 3 }),
        ("generation_unproved", GateWeight.Review, facts => facts with { GenerationCommit = null }),
        ("branch_moved", GateWeight.Review, facts => facts with { GenerationCommit = "cccc" }),
        ("earlier_work_dropped", GateWeight.Review, facts => facts with { KeepsEarlierWork = false }),
        ("verification_missing", GateWeight.Review, facts => facts with { Verification = null }),
        ("verification_failed", GateWeight.Escalate, Report(report => report with { Status = "fail" })),
        ("verification_incomplete", GateWeight.Review, Report(report => report with { Status = "skipped" })),
        ("verification_incomplete", GateWeight.Review, Report(report => report with { Status = "auto_pass" })),
        ("verification_unbound", GateWeight.Review, Report(report => report with { Commit = null })),
        ("verification_of_other_commit", GateWeight.Escalate, Report(report => report with { Commit = "dddd" })),
        ("verification_of_other_generation", GateWeight.Escalate, Report(report => report with { Generation = 1 })),
        ("verification_unbound", GateWeight.Review, Report(report => report with { Generation = null })),
        ("verification_of_other_task", GateWeight.Escalate, Report(report => report with { Task = "task-9" })),
        ("verification_unbound", GateWeight.Review, Report(report => report with { Task = null })),
        ("verification_unbound", GateWeight.Review, Report(report => report with { SaysEnd = false })),
        ("verification_of_other_branch", GateWeight.Escalate, Report(report => report with { Branch = "iris/other" })),
        ("work_not_completed", GateWeight.Escalate, Report(report => report with { BadEnd = "task_failed" })),
        ("too_many_files", GateWeight.Review, With(Modified("src/a") with { Change = Change('R', "src/a", "src/b") }, Modified("src/c") with { Change = Change('R', "src/c", "src/d") })),
        ("too_many_bytes", GateWeight.Review, With(Modified("src/1") with { Bytes = 900 }, Modified("src/2") with { Bytes = 900 })),
        ("change_unreadable", GateWeight.Escalate, facts => facts with { Files = null }),
        ("no_change", GateWeight.Review, facts => facts with { Files = [] }),
        ("too_many_files", GateWeight.Review, With(Enumerable.Range(0, 4).Select(n => Modified($"src/{n}")).ToArray())),
        ("too_many_lines", GateWeight.Review, facts => facts with { Insertions = 60, Deletions = 41 }),
        ("too_many_deletions", GateWeight.Escalate, With(Deleted("src/1"), Deleted("src/2"))),
        ("forbidden_path", GateWeight.Escalate, With(Modified(".github/workflows/x.yml"))),
        ("forbidden_path", GateWeight.Escalate, With(Modified("src/deep/DOCKERFILE"))),
        ("forbidden_path", GateWeight.Escalate, With(Deleted("src/.env.production"))),
        ("sensitive_path", GateWeight.Review, With(Modified("src/package.json"))),
        ("outside_allowed_paths", GateWeight.Review, With(Modified("lib/x"))),
        ("outside_allowed_paths", GateWeight.Review, With(Modified("src/new") with { Change = Change('R', "src/new", "lib/old") })),
        ("forbidden_path", GateWeight.Escalate, With(Modified("src/new") with { Change = Change('R', "src/new", ".github/old") })),
        ("dangerous_name", GateWeight.Escalate, With(Modified("src/../x"))),
        ("dangerous_name", GateWeight.Escalate, With(Modified("src/.GIT/hooks/pre-push"))),
        ("odd_name", GateWeight.Review, With(Modified("src/a\nb"))),
        ("odd_name", GateWeight.Review, With(Modified("src/\uFFFD"))),
        ("odd_name", GateWeight.Review, With(Modified("src/--option"))),
        ("odd_name", GateWeight.Review, With(Modified("src/\u202egnp.exe"))),
        ("submodule", GateWeight.Escalate, With(Modified("src/sub") with { Change = new ChangedFile('A', "000000", "160000", "x", "src/sub", null) })),
        ("submodule", GateWeight.Escalate, With(Modified("src/sub") with { Change = new ChangedFile('D', "160000", "000000", "x", "src/sub", null) })),
        ("link_leads_out", GateWeight.Escalate, With(Modified("src/l") with { Change = new ChangedFile('A', "000000", "120000", "x", "src/l", null), LinkTarget = "../../x" })),
        ("link_leads_out", GateWeight.Escalate, With(Modified("src/l") with { Change = new ChangedFile('T', "100644", "120000", "x", "src/l", null), LinkTarget = null })),
        ("executable", GateWeight.Review, With(Modified("src/x") with { Change = new ChangedFile('M', "100644", "100755", "x", "src/x", null) })),
        ("large_file", GateWeight.Review, With(Modified("src/x") with { Bytes = 1001 })),
        ("large_file", GateWeight.Review, With(Modified("src/x") with { Bytes = null })),
    ];

    public static TheoryData<int> Each => [.. Enumerable.Range(0, Violations.Length)];

    [Fact]
    public void Good_work_is_merged_unseen_and_only_then_there_is_no_reason() => Assert.Empty(GateRules.Judge(Good, Options));

    [Fact]
    public void What_is_allowed_is_no_reason()
    {
        var facts = With(
            Modified("src/bin/x") with { Change = new ChangedFile('A', "000000", "100755", "x", "src/bin/x", null) },
            Modified("src/l") with { Change = new ChangedFile('A', "000000", "120000", "x", "src/l", null), LinkTarget = "../docs/./x" },
            Deleted("docs/old.md"))(Good with { Files = [] });

        Assert.Empty(GateRules.Judge(facts with { WantedBranch = "/task-1", ReportedBaseHolds = true, KeepsEarlierWork = true }, Options));
    }

    [Theory]
    [MemberData(nameof(Each))]
    public void Each_violation_is_named_and_weighs_what_it_should(int index)
    {
        var (code, weight, add) = Violations[index];

        var reasons = GateRules.Judge(add(Good), Options);

        Assert.Contains(reasons, reason => reason.Code == code && reason.Weight == weight);
        Assert.True(GateRules.Verdict(reasons) >= weight);
    }

    [Fact]
    public void One_more_violation_never_makes_the_verdict_milder_and_never_a_merge()
    {
        // These take facts away, or put another fact in the place of one; what is left is judged, and never a merge.
        string[] replacing = ["repository_unreadable", "branch_missing", "target_missing", "generation_unknown", "verification_missing", "verification_incomplete", "verification_unbound", "change_unreadable", "no_change"];
        var random = new Random(13);
        for (var round = 0; round < 1_500; round++)
        {
            var (facts, before) = (Good, GateWeight.AutoMerge);
            foreach (var (code, weight, add) in Enumerable.Range(0, random.Next(1, 8)).Select(_ => Violations[random.Next(Violations.Length)]))
            {
                facts = add(facts);
                var now = GateRules.Verdict(GateRules.Judge(facts, Options));
                Assert.NotEqual(GateWeight.AutoMerge, now);
                if (replacing.Contains(code))
                {
                    break;
                }

                Assert.True(now >= before && now >= weight, $"{code} made {before} into {now}");
                before = now;
            }
        }
    }

    [Theory]
    [InlineData("src/a/b.cs", "src/**", true)]
    [InlineData("src", "src/**", true)]
    [InlineData("srcx/a", "src/**", false)]
    [InlineData("a/src/b", "src/**", false)]
    [InlineData("a/src/b", "**/src/**", true)]
    [InlineData("src/b", "**/src/**", true)]
    [InlineData("a/b/main.tf", "*.tf", true)]
    [InlineData("main.tfx", "*.tf", false)]
    [InlineData("a/main.tf", "a/*.tf", true)]
    [InlineData("a/b/main.tf", "a/*.tf", false)]
    [InlineData("anything/at/all", "**", true)]
    [InlineData(".env.local", ".env*", true)]
    [InlineData("SRC/a", "src/*", false)]
    public void Patterns_fit_as_people_expect(string path, string pattern, bool fits) => Assert.Equal(fits, PathPattern.Fits(path, pattern, ignoreCase: false));

    [Fact]
    public void A_hostile_path_costs_no_time()
    {
        var started = TimeProvider.System.GetTimestamp();

        Assert.False(PathPattern.Fits(string.Join('/', Enumerable.Repeat(new string('a', 30), 60)) + "/b", "**/a*/**/*a*a*a*/**/*a*a/**/a*a*a*a/**/c", ignoreCase: true));

        Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(1));
    }

    [Theory]
    [InlineData("a/l", "b", false)]
    [InlineData("a/l", "../b", false)]
    [InlineData("a/l", "../../b", true)]
    [InlineData("l", "/etc/passwd", true)]
    [InlineData("l", "a/../../x", true)]
    [InlineData("l", "a/../b", true)]
    [InlineData("l", "./././a", false)]
    [InlineData("l", "", true)]
    [InlineData("l", ".git/config", true)]
    [InlineData("l", "..\\..\\x", true)]
    public void A_link_is_inside_only_where_its_text_shows_it(string path, string target, bool leadsOut) => Assert.Equal(leadsOut, PathRules.LeadsOut(path, target));

    [Theory]
    [InlineData("""{"status":"pass","checks":[{"type":"a","status":"pass"}]}""", "pass  ")]
    [InlineData("""{"status":"pass","checks":[]}""", "skipped  ")]
    [InlineData("""{"status":"pass","checks":[{"type":"a","status":"fail"}]}""", "fail  ")]
    [InlineData("""{"status":"pass","checks":[{"type":"a","status":"pass"},{"type":"b","status":"skipped"}]}""", "skipped  ")]
    [InlineData("""{"status":"pass","checks":[{"type":"a","status":"pass"},{"type":"pull_request","status":"skipped"}]}""", "pass  ")]
    [InlineData("""{"generation":3,"result":{"commit":"c","base_commit":"b"},"verification_report":{"status":"pass","checks":[{"type":"a","status":"pass"}]}}""", "pass c 3b")]
    [InlineData("""{"verification_report":null,"status":"completed"}""", null)]
    [InlineData("""[1]""", null)]
    public void A_report_passes_only_where_all_its_parts_do(string json, string? expected) =>
        Assert.Equal(expected, VerificationReports.Read(Encoding.UTF8.GetBytes(json)) is { } read ? $"{read.Status} {read.Commit} {read.Generation}{read.BaseCommit}" : null);

    [Theory]
    [InlineData("{")]
    [InlineData("""{"status":"fail","status":"pass","checks":[]}""")]
    public void A_report_that_is_no_clear_json_is_refused(string json) => Assert.ThrowsAny<JsonException>(() => VerificationReports.Read(Encoding.UTF8.GetBytes(json)));

    private static GateFacts Good => new()
    {
        Branch = "iris/task-1", WantedBranch = "iris/task-1", Target = "main", Task = "task-1", Generation = 2, HighestGeneration = 2, GenerationCommit = Head, Head = Head, TargetHead = Base, MergeBase = Base,
        Verification = new GateVerification("pass", Head, 2, Base) { Task = "task-1" }, Files = [Modified("src/a.cs")], Insertions = 3, Deletions = 1,
    };

    private static GateFile Modified(string path) => new(Change('M', path, null), 10, null);

    private static GateFile Deleted(string path) => new(new ChangedFile('D', "100644", "000000", "x", path, null), null, null);

    private static ChangedFile Change(char status, string path, string? old) => new(status, "100644", "100644", "x", path, old);

    private static Func<GateFacts, GateFacts> With(params GateFile[] files) => facts => facts with { Files = [.. facts.Files ?? [], .. files] };

    private static Func<GateFacts, GateFacts> Report(Func<GateVerification, GateVerification> change) => facts => facts with { Verification = change(facts.Verification ?? new GateVerification("pass", Head, 2, Base) { Task = "task-1" }) };
}
