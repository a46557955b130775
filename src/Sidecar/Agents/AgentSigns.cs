using FleetSidecar.Ground.Files;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>Signs of work that an agent leaves without meaning to: output, and commits or staged files in its workspace.</summary>
internal sealed class AgentSigns(AgentLauncher launcher)
{
    private const long Factor = 1_000_003;
    private static readonly string[] GitMarks = [".git/logs/HEAD", ".git/index"];

    /// <summary>A number that changes with every new sign; zero while there is none.</summary>
    /// <remarks>Each date counts, not the latest: on a clock that was set back, what is written next has an earlier one.</remarks>
    public long Look(Run run)
    {
        var record = launcher.RecordDirectory(run);
        List<long> dates = [Written(Recorder.Output(record)), Written(Recorder.Errors(record))];
        if (run.Facts.Workspace is { } workspace)
        {
            // Clone and checkout wrote these too; only what is newer than the wake is the agent's.
            var woken = DateTimeOffset.FromUnixTimeMilliseconds(run.Facts.WokenAtUnixMs ?? 0).UtcTicks;
            dates.AddRange(GitMarks.Select(mark => Written(Path.Combine(workspace, mark))).Select(ticks => ticks > woken ? ticks : 0));
        }

        return dates.Aggregate(0L, (all, date) => unchecked((all * Factor) + date));
    }

    // An output file exists before there is output.
    private static long Written(string path) => PathFacts.Of(path) is { Kind: PathKind.File, Length: > 0 } file ? file.Written.UtcTicks : 0;
}
