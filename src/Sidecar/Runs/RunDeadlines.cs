using System.Collections.Concurrent;

namespace FleetSidecar.Runs;

/// <summary>One timer a run, for the deadline of the state it is in.</summary>
/// <remarks>After a restart the time that has passed counts; a clock that was set back or forward cannot make it more than the limit or less than none.</remarks>
internal sealed class RunDeadlines(
    DeadlineOptions limits, TimeProvider time, Func<string, string?> doing, Action<RunInput> passed)
{
    private readonly Dictionary<string, (RunState State, long Since, ITimer Timer)> _set = [];
    private readonly ConcurrentDictionary<string, (RunState State, long Since)> _passed = new();

    /// <summary>Stops the clock of a run that is no longer known.</summary>
    public void Drop(string runId)
    {
        if (_set.Remove(runId, out var set))
        {
            set.Timer.Dispose();
        }

        _passed.TryRemove(runId, out _);
    }

    /// <summary>Whether the deadline of the state that a run is in has passed, also while nobody could take that in.</summary>
    public bool HasPassed(Run run) => _passed.TryGetValue(run.Id, out var passed) && passed == (run.State, run.StateSinceUnixMs);

    /// <summary>Sees to it that the run's deadline, and no other, is ticking.</summary>
    public void Follow(Run run)
    {
        var deadline = RunPolicy.DeadlineOf(run, limits);
        if (_set.TryGetValue(run.Id, out var set))
        {
            if (set.State == run.State && set.Since == run.StateSinceUnixMs && deadline is not null)
            {
                return;
            }

            Drop(run.Id);
        }

        if (deadline is { } due)
        {
            var gone = TimeSpan.FromMilliseconds(Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds() - run.StateSinceUnixMs));
            var left = gone < due.Limit ? due.Limit - gone : TimeSpan.Zero;
            var input = new RunInput.DeadlinePassed(run.Id, run.State, due.Name);
            var timer = time.CreateTimer(
                _ =>
                {
                    _passed[run.Id] = (run.State, run.StateSinceUnixMs);
                    passed(input with { Doing = doing(run.Id) });
                },
                null, left, Timeout.InfiniteTimeSpan);
            _set[run.Id] = (run.State, run.StateSinceUnixMs, timer);
        }
    }
}
