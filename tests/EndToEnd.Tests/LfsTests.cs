namespace FleetSidecar.EndToEnd;

/// <summary>Repositories whose large files git-lfs keeps elsewhere. What git-lfs leaves in a clone is made here by hand: it is not on every machine.</summary>
public sealed class LfsTests : WorkspaceTests
{
    private const string RemoveAtOnce = """{ "workspace": { "keepFor": "00:00:00" } }""";

    // As git-lfs does: a pointer in the index, the file itself in the work tree, and an object in the clone.
    private const string Lfs = """
        lfs() {
          printf '%s' "$2" >"$1"; hash=$(sha256sum <"$1" | cut -c1-64)
          pointer=$(printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %s\n' "$hash" "$(stat -c %s "$1")" | git hash-object -w --stdin)
          git update-index --add --cacheinfo "100644,$pointer,$1"
          mkdir -p .git/lfs/tmp ".git/lfs/objects/$(echo $hash | cut -c1-2)/$(echo $hash | cut -c3-4)"; : >.git/lfs/tmp/left
          [ -n "${3-}" ] || cp "$1" ".git/lfs/objects/$(echo $hash | cut -c1-2)/$(echo $hash | cut -c3-4)/$hash"
        }

        """;

    [Theory(Timeout = 120_000), Trait("kind", "what is right is told as not committed")]
    [InlineData("", "pass", "task_complete")]
    [InlineData("printf 'other' >model.bin", "fail", "task_failed")]
    [InlineData("echo x >loose", "fail", "task_failed")]
    [InlineData("printf 'abab' >x.up", "fail", "task_failed")] // No filter of that name was ever named by a commit.
    public async Task A_file_in_the_place_of_its_pointer_is_clean_and_its_object_is_spoken_of(string more, string clean, string end)
    {
        var origin = await OriginAsync("*.bin filter=lfs diff=lfs merge=lfs -text");
        await StartAsync($"{Lfs}lfs model.bin 'a large file'; git commit --quiet -m Model; {more}\nfleet-sidecar task complete");
        await Hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{origin.Path}}","verification_steps":[{"type":"git_clean"}]}""");

        await Hub.WaitForAsync(end);

        if (end == "task_complete")
        {
            var report = Completed("task-a").GetProperty("verification_report");
            Assert.Equal(["commits pass", "lfs skipped", $"git_clean {clean}"], report.GetProperty("checks").EnumerateArray().Select(check => $"{check.GetProperty("type")} {check.GetProperty("status")}"));
            Assert.Equal("skipped", report.GetProperty("status").GetString());
        }
    }

    [Fact(Timeout = 120_000), Trait("kind", "what is right is told as not committed")]
    public async Task What_goes_through_a_filter_that_is_not_run_is_not_known_to_be_clean()
    {
        var origin = await OriginAsync("*.up filter=upper");
        await StartAsync("printf 'abab' >x.up; git update-index --add --cacheinfo \"100644,$(printf 'ABAB' | git hash-object -w --stdin),x.up\"; git commit --quiet -m Up; fleet-sidecar task complete");
        await Hub.SendAsync($$"""{"type":"task_assign","task_id":"task-a","generation":1,"description":"x","repo":"{{origin.Path}}","verification_steps":[{"type":"git_clean"}]}""");

        await Hub.WaitForAsync("task_complete");

        var check = Completed("task-a").GetProperty("verification_report").GetProperty("checks")[1];
        Assert.Equal("skipped", check.GetProperty("status").GetString());
        Assert.Contains("'x.up' goes through the filter upper", check.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "what is left keeps the machine closed though it could go")]
    [InlineData("mkdir -p .git/lfs/objects/aa/bb .git/lfs/tmp; : >.git/lfs/tmp/left", true)]
    [InlineData("lfs old.bin 'as it was'; git reset --quiet", true)] // Fetched: the commit that the work began at names it.
    [InlineData("lfs new.bin 'of the agent'; git commit --quiet -m New", false)]
    [InlineData("mkdir -p .git/lfs; ln -s /nowhere .git/lfs/objects", false)]
    public async Task A_workspace_goes_unless_it_has_an_object_that_may_be_nowhere_else(string more, bool goes)
    {
        var origin = await OriginAsync("*.bin filter=lfs diff=lfs merge=lfs -text", "lfs old.bin 'as it was'");
        await StartAsync($"{Lfs}echo x >x; git add x; git commit --quiet -m X; {more}\nfleet-sidecar task complete", RemoveAtOnce);

        await CompleteAsync(origin, "task-a", 1);

        if (goes)
        {
            await Wait.UntilAsync(() => Directory.GetDirectories(Path.Combine(Sidecar.State, "workspaces")).Length == 0, "the workspace to be gone", TimeSpan.FromSeconds(60));
        }
        else
        {
            await Sidecar.Program.WaitForLineAsync("objects of git-lfs");
        }
    }

    private async Task<GitOrigin> OriginAsync(string attributes, string more = ":")
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await TestProgram.MustAsync("/bin/bash", "-c", $"""
            set -eu
            git clone --quiet '{origin.Path}' '{Scene["lfs-seed"]}'; cd '{Scene["lfs-seed"]}'
            {Lfs}
            echo '{attributes}' >.gitattributes; git add .gitattributes; {more}
            git -c user.name=tester -c user.email=tester@fleet.invalid commit --quiet -m Attributes
            git push --quiet origin HEAD:main
            """);
        return origin;
    }
}
