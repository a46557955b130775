using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Loops;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Runs;

/// <summary>
/// No run has stood past the deadline of its state. Such a run holds a slot for ever, and nothing else says so.
/// </summary>
/// <remarks>
/// A failure closes the machine for work only where such runs hold every slot: a free slot works as well as before,
/// and the hub must not lose a machine over one run. The exit code of <c>doctor</c> is 1 either way. The age of a run
/// is measured on the monotonic clock from the first look at it in its state, so that a wall clock that is set
/// reports no run. May be late by the time between two looks: the self-test's interval.
/// </remarks>
internal sealed class RunsCheck(RunLoop runs, SidecarConfig config, TimeProvider time) : ICheck
{
    private const int MostNamed = 5;
    private const long LatestUnixMs = 253_402_300_799_999; // The last moment of the year 9999.
    private readonly Lock _turn = new();
    private Dictionary<(string Run, RunState State, long Since), (long Seen, TimeSpan Age)> _seen = [];

    public string Name => "runs";

    // Twice what a loop may be late: a loop that hangs is the watchdog's to name.
    private static TimeSpan Grace => Pulse.Usual * 2;

    public Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token) =>
        Task.FromResult<IReadOnlyList<CheckResult>>([Judge([.. runs.Snapshot])]);

    /// <summary>Looks at the open runs as of now.</summary>
    internal CheckResult Judge(IReadOnlyList<Run> open)
    {
        var overdue = Overdue(open);
        if (overdue.Count == 0)
        {
            return new CheckResult(
                Name,
                CheckResult.Ok,
                open.Count == 0 ? "no run is open" : $"{open.Count} open, none past its deadline"
            );
        }

        var named =
            string.Join("; ", overdue.Take(MostNamed).Select(Words))
            + (overdue.Count > MostNamed ? $"; and {overdue.Count - MostNamed} more" : "");
        return new CheckResult(
            Name,
            CheckResult.Failed,
            named,
            "see 'fleet-sidecar runs' and the log of that run; cancel its task at the hub, or restart the sidecar, "
                + "which takes the run up again; agents go on working meanwhile",
            Blocks: OverdueRules.HoldEverySlot(overdue, config.Agent.MaxConcurrentRuns)
        );
    }

    private List<OverdueRun> Overdue(IReadOnlyList<Run> open)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        lock (_turn)
        {
            var seen = new Dictionary<(string Run, RunState State, long Since), (long Seen, TimeSpan Age)>();
            var overdue = new List<OverdueRun>();
            foreach (var run in open)
            {
                var key = (run.Id, run.State, run.StateSinceUnixMs);
                var first = _seen.TryGetValue(key, out var known)
                    ? known
                    : (time.GetTimestamp(), OverdueRules.AgeAtFirstSight(run, now, config.Deadlines));
                seen[key] = first;
                if (
                    OverdueRules.Judge(run, first.Item2 + time.GetElapsedTime(first.Item1), config.Deadlines, Grace) is
                    { } late
                )
                {
                    overdue.Add(late);
                }
            }

            _seen = seen;
            return overdue;
        }
    }

    private static DateTimeOffset Since(Run run) =>
        DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(run.StateSinceUnixMs, 0, LatestUnixMs));

    private static string Words(OverdueRun late) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{late.Run.Id} of {late.Run.TaskId} is {late.Run.State.Word()} "
                + $"since {Since(late.Run):yyyy-MM-dd HH:mm:ss}Z, past its deadline {late.Deadline} of {late.Limit}"
        );
}
