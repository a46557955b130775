namespace FleetSidecar.Runs;

/// <summary>One timer a run, for the deadline of the state it is in.</summary>
/// <remarks>After a restart the time that has passed counts; a clock that was set back or forward cannot make it more than the limit or less than none.</remarks>
internal sealed class RunDeadlines(
    DeadlineOptions limits, TimeProvider time, Func<string, string?> doing, Action<RunInput> passed)
{
    private readonly Dictionary<string, (RunState State, long Since, ITimer Timer)> _set = [];

    /// <summary>Stops the clock of a run that is no longer known.</summary>
    public void Drop(string runId)
    {
        if (_set.Remove(runId, out var set))
        {
            set.Timer.Dispose();
        }
    }

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

            set.Timer.Dispose();
            _set.Remove(run.Id);
        }

        if (deadline is { } due)
        {
            var gone = TimeSpan.FromMilliseconds(Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds() - run.StateSinceUnixMs));
            var left = gone < due.Limit ? due.Limit - gone : TimeSpan.Zero;
            var input = new RunInput.DeadlinePassed(run.Id, run.State, due.Name);
            var timer = time.CreateTimer(
                _ => passed(input with { Doing = doing(run.Id) }), null, left, Timeout.InfiniteTimeSpan);
            _set[run.Id] = (run.State, run.StateSinceUnixMs, timer);
        }
    }
}
