using System.Globalization;
using System.Text;
using FleetSidecar.Agents;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using FleetSidecar.Testing;
using FleetSidecar.Workspaces;
using Microsoft.Extensions.Logging.Abstractions;

namespace FleetSidecar.Bench;

/// <summary>A workspace of a repository of 100,000 objects, next to a fresh clone of it, in turns.</summary>
internal static class PreparationTime
{
    private const int Rounds = 7, Commits = 17_000, Files = 200;

    public static async Task<IEnumerable<string>> MeasureAsync(TempDir directory)
    {
        var address = await MakeAsync(directory);
        var objects = (await TestProgram.MustAsync("/usr/bin/git", "-C", directory["big.git"], "count-objects", "-v")).Split('\n').First(line => line.StartsWith("in-pack", StringComparison.Ordinal))[9..];
        var config = new SidecarConfig { StateDirectory = directory["prepare-state"], Agent = new AgentOptions { Id = "bench" } };
        config.Workspace.AllowedRepositories = [address];
        var git = new Git(new ToolRunner(TimeProvider.System), config.Workspace);
        using var watch = new ProcessWatch();
        var preparation = new Preparation(config, git, new Origin(git, config), new Mirrors(config, git, watch, TimeProvider.System), new Clones(config, git, new ToolRunner(TimeProvider.System)), new PushForesight(git, NullLogger<PushForesight>.Instance), TimeProvider.System, NullLogger<Preparation>.Instance);
        await preparation.PrepareAsync(Some(0, address), CancellationToken.None); // Makes the mirror.
        var (clones, workspaces, files) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 1; round <= Rounds; round++)
        {
            clones.Add(await TimeAsync(() => TestProgram.MustAsync("/usr/bin/git", "clone", "--quiet", address, directory[$"clone-{round}"])));
            await TestProgram.MustAsync("/usr/bin/git", "clone", "--quiet", "--shared", "--no-checkout", directory["big.git"], directory[$"files-{round}"]);
            files.Add(await TimeAsync(() => TestProgram.MustAsync("/usr/bin/git", "-C", directory[$"files-{round}"], "checkout", "--quiet", "main")));
            workspaces.Add(await TimeAsync(() => preparation.PrepareAsync(Some(round, address), CancellationToken.None)));
        }

        double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
        var (clone, workspace, floor) = (Median(clones), Median(workspaces), Median(files));
        return
        [
            string.Create(CultureInfo.InvariantCulture, $"floor: writing the {Files} files of that repository, which both do | p50 {floor:0} ms"),
            string.Create(CultureInfo.InvariantCulture, $"fresh clone over file://, {objects} objects | p50 {clone:0} ms"),
            string.Create(CultureInfo.InvariantCulture, $"workspace of the same, mirror fetched and base compared | p50 {workspace:0} ms"),
            string.Create(CultureInfo.InvariantCulture, $"the same two without the files | {workspace - floor:0} and {clone - floor:0} ms, {(workspace - floor) / (clone - floor):P0}"),
        ];
    }

    // Every commit changes one file two directories deep: a commit, three trees, a blob and, every time, another file's blob.
    private static async Task<string> MakeAsync(TempDir directory)
    {
        var stream = new StringBuilder();
        for (var commit = 0; commit < Commits; commit++)
        {
            stream.Append(CultureInfo.InvariantCulture, $"commit refs/heads/main\ncommitter bench <bench@fleet.invalid> {1_700_000_000 + commit} +0000\ndata 1\nx\n");
            foreach (var file in new[] { commit % Files, (commit * 7 + 3) % Files })
            {
                var text = string.Create(CultureInfo.InvariantCulture, $"{commit} {file} {new string('x', file % 200)}\n");
                stream.Append(CultureInfo.InvariantCulture, $"M 100644 inline d{file % 10}/e{file % 100 / 10}/f{file}\ndata {text.Length}\n{text}\n");
            }
        }

        await TestProgram.MustAsync("/usr/bin/git", "init", "--quiet", "--bare", "--initial-branch=main", directory["big.git"]);
        await TestProgram.MustAsync("/bin/sh", "-c", "git -C \"$1\" fast-import --quiet < \"$2\" && git -C \"$1\" repack -adq", "sh", directory["big.git"], directory.Write("stream", stream.ToString()));
        return $"file://{directory["big.git"]}";
    }

    private static Run Some(int number, string address) => new()
    {
        Id = $"run-{number}", TaskId = $"task-{number}", Generation = 1, State = RunState.Preparing, Nonce = "x", Profile = new WakeProfile { Name = "main" },
        Assignment = new HubMessage.TaskAssign { TaskId = $"task-{number}", Repo = address }, CreatedAtUnixMs = 0, StateSinceUnixMs = 0,
    };

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        var started = TimeProvider.System.GetTimestamp();
        await work();
        return TimeProvider.System.GetElapsedTime(started).TotalMilliseconds;
    }
}
