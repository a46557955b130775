using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Retention;

namespace FleetSidecar.Tests;

/// <summary>What stood in the place of a file of the sidecar's is kept beside it, once and not for ever.</summary>
public sealed class DisplacedTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly SidecarConfig _config = Some.Config();
    private DateTimeOffset _now;

    public DisplacedTests() => _config.StateDirectory = _directory["state"];

    public void Dispose() => _directory.Dispose();

    // A member of supervise put a directory of two megabytes in the place of its own output at each of its lives.
    [Theory(Timeout = 60_000), InlineData("supervise/web/stdout.1"), InlineData("reserve"), InlineData("logs/fleet-sidecar.log"), Trait("kind", "what was moved out of the way fills the disk")]
    public async Task What_stood_in_the_place_of_a_file_of_ours_is_kept_once_and_not_for_ever(string file)
    {
        var place = Path.Combine(_config.StateDirectory, file);
        foreach (var life in Enumerable.Range(0, 10))
        {
            Directory.CreateDirectory(Path.Combine(place, "deep"));
            await File.WriteAllTextAsync(Path.Combine(place, "deep", "x"), $"{life}");
            Directory.SetLastWriteTimeUtc(place, TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(life == 3 ? 500 : -life));
            Assert.NotNull(ClearPlace.ForFile(place));
        }

        await TestProgram.MustAsync("/bin/mkfifo", place);
        ClearPlace.ForFile(place);
        var others = new[] { $"{place}.replaced-by-hand", $"{place}.replaced-{new string('g', 32)}" };
        Array.ForEach(others, other => File.WriteAllText(other, "x"));
        _now = TimeProvider.System.GetUtcNow();
        Assert.Equal(10, await SweepAsync());
        var kept = Assert.Single(Aside(place).Except(others));
        Assert.Equal(PathKind.Other, PathFacts.Of(kept)?.Kind); // The last one, whatever dates the others were given.

        _now += _config.Retention.KeepRunsFor + TimeSpan.FromHours(1);
        Assert.Equal(1, await SweepAsync());
        Assert.Equal(others.Order(StringComparer.Ordinal), Aside(place));

        // An operator's, to a disk that was not there at this start.
        File.CreateSymbolicLink(place, "/disk/that/is/away");
        var link = ClearPlace.ForFile(place);
        _now += _config.Retention.KeepRunsFor * 2;
        Assert.Equal(0, await SweepAsync());
        Assert.Equal("/disk/that/is/away", new FileInfo(link!).LinkTarget);
    }

    [Fact(Timeout = 60_000), Trait("kind", "what was moved out of the way fills the disk")]
    public async Task Of_a_log_in_a_directory_of_others_only_its_own_places_are_swept()
    {
        using var elsewhere = new TempDir();
        _config.Log.File = elsewhere["log/agents.log"];
        string[] ours = ["log/agents.log", "log/agents_003.log", "log"], theirs = ["log/agents_x.log", "log/agents_.log", "log/web.log", "other"];
        Directory.CreateDirectory(elsewhere["log"]);
        foreach (var (place, round) in ours.Concat(theirs).SelectMany(place => Enumerable.Range(0, 3).Select(round => (place, round))))
        {
            Directory.CreateDirectory($"{elsewhere[place]}.replaced-{round:x32}");
        }

        _now = TimeProvider.System.GetUtcNow();
        Assert.Equal(2 * ours.Length, await SweepAsync());
        Assert.All(ours, place => Assert.Single(Aside(elsewhere[place])));
        Assert.All(theirs, place => Assert.Equal(3, Aside(elsewhere[place]).Count));
    }

    [Theory]
    [InlineData("agents.log", true), InlineData("agents_001.log", true), InlineData("agents_.log", false), InlineData("agents_x.log", false)]
    [InlineData("web.log", false), InlineData("agents.log.1", false), InlineData("agents_001", false)]
    public void A_log_and_what_it_rolled_to_are_known_by_their_names(string name, bool ours) =>
        Assert.Equal(ours, BundleFile.IsFileOf("/var/log/agents.log", $"/var/log/{name}"));

    private static List<string> Aside(string place) => [.. Directory.GetFileSystemEntries(Path.GetDirectoryName(place)!, $"{Path.GetFileName(place)}.replaced-*").Order(StringComparer.Ordinal)];

    private async Task<int> SweepAsync()
    {
        var problems = new List<string>();
        var count = await new Displaced(_config, new ToolRunner(TimeProvider.System), TimeProvider.System).SweepAsync(_now, nearFloor: false, problems, CancellationToken.None);
        Assert.Empty(problems);
        return count;
    }
}
