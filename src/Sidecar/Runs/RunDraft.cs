using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Drain;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>A batch on its way to disk: changed runs, new messages, messages that may go. Reads through to the book.</summary>
internal sealed class RunDraft(
    IReadOnlyDictionary<string, Run> open, OrderedDictionary<string, OutboxMessage> outbox, IReadOnlyDictionary<string, Breaker> breakers,
    IReadOnlyList<WakeProfile> profiles, long now)
{
    private readonly Dictionary<string, Run> _changed = [];
    private readonly List<OutboxMessage> _added = [];
    private readonly HashSet<string> _removed = [];
    private readonly Dictionary<string, string> _forgotten = [];
    private readonly DraftBreakers _breakers = new(breakers, profiles, now);

    public long Now => now;

    public IReadOnlyCollection<Run> Changed => _changed.Values;

    public IReadOnlyCollection<OutboxMessage> Added => _added;

    public IReadOnlyCollection<string> Removed => _removed;

    /// <summary>Answers that are sent once and not stored: nothing was begun, so nothing can be lost.</summary>
    public List<SidecarMessage.TaskRejected> Rejections { get; } = [];

    /// <summary>Runs whose state the hub must be told once more, because its answer was about an older generation; sent once and not stored.</summary>
    public List<Run> Reports { get; } = [];

    /// <summary>Assignments that wait in memory; what the book holds after this draft is taken over.</summary>
    public List<HeldAssignment> Held { get; } = [];

    /// <summary>Held assignments that are given up without a word, because the hub's version has none: it takes the task back itself.</summary>
    public List<HeldAssignment> Dropped { get; } = [];

    /// <summary>Runs that cannot be stored in any form, with the reason: their rows are closed and no loop knows of them any more.</summary>
    public IReadOnlyDictionary<string, string> Forgotten => _forgotten;

    /// <summary>What is let in from now on, where that was decided.</summary>
    public IntakeState? Intake { get; set; }

    public DraftBreakers Breakers => _breakers;

    public bool IsEmpty => _changed.Count == 0 && _added.Count == 0 && _removed.Count == 0 && _forgotten.Count == 0 && Intake is null && _breakers.Changed.Count == 0;

    public IEnumerable<Run> Runs => open.Values.Where(run => !_changed.ContainsKey(run.Id)).Concat(_changed.Values);

    public Run? Find(string runId) => _changed.GetValueOrDefault(runId) ?? open.GetValueOrDefault(runId);

    /// <summary>The run of a task that is not settled: the live one, else the newest.</summary>
    public Run? OfTask(string taskId) => Runs
        .Where(run => run.TaskId == taskId && run.State != RunState.Settled)
        .OrderBy(run => run.State.IsFinal()).ThenByDescending(run => run.Generation)
        .FirstOrDefault();

    public OutboxMessage? Message(string messageId) => _removed.Contains(messageId)
        ? null
        : _added.Find(message => message.MessageId == messageId) ?? outbox.GetValueOrDefault(messageId);

    public void Change(Run run) => _changed[run.Id] = run;

    /// <summary>Replaces a run that cannot be handled by its reduced form, which fails by name; its agent is stopped like that of any failed run.</summary>
    public void SetAside(string runId, Failure failure)
    {
        if ((open.GetValueOrDefault(runId) ?? _changed.GetValueOrDefault(runId)) is not { } run)
        {
            return;
        }

        var isNew = !open.ContainsKey(runId);
        _changed.Remove(runId);
        _added.RemoveAll(message => message.RunId == runId);
        if (isNew)
        {
            run = run with { State = RunState.Assigned, WakeAttempt = 0 }; // Nothing of it is on disk, so nothing was started.
            Say(run, RunRows.Accepted);
        }

        Advance(run.Reduced(failure));
    }

    /// <summary>Takes a run out of everything that is kept: its reduced form could not be stored either.</summary>
    public void Forget(string runId, string reason)
    {
        _added.RemoveAll(message => message.RunId == runId);
        if (open.ContainsKey(runId))
        {
            _forgotten[runId] = reason;
        }
        else if (_changed.TryGetValue(runId, out var run))
        {
            // Nothing of it is on disk and nothing was started, so the hub may give it out again.
            Rejections.Add(new SidecarMessage.TaskRejected { TaskId = run.TaskId, Generation = run.Generation, Reason = FailureClass.InternalError, Detail = reason });
        }

        _changed.Remove(runId);
    }

    /// <summary>Moves a run as far as its facts carry it.</summary>
    public void Advance(Run run)
    {
        run = Judged(run);
        while (RunPolicy.Next(run) is { } signal)
        {
            var move = RunRules.Next(run.State, signal);
            run = Judged(Enter(run, signal, move.Next));
            Say(run, move.Rows);
        }

        if (run.State.IsFinal())
        {
            _breakers.Release(run);
        }

        if (run.State is RunState.Cancelled or RunState.Superseded)
        {
            Silence(run); // The hub decided this itself; what is still unsent would only be refused.
        }

        Change(run);
        SettleIfHeard(run);
    }

    /// <summary>Goes on with a run under a higher generation. What was said under the old one would be refused, so all of it is said again.</summary>
    public void Adopt(Run run, long generation)
    {
        Silence(run);
        var adopted = run with { Generation = generation };
        Change(adopted);
        Say(adopted, RunMessages.SaidIn(adopted.State));
    }

    /// <summary>Adds messages of a run.</summary>
    public void Say(Run run, RunRows rows)
    {
        foreach (var message in RunMessages.For(run, rows, now))
        {
            _added.RemoveAll(known => known.MessageId == message.MessageId);
            _added.Add(message);
        }
    }

    /// <summary>Removes a run's messages that the hub has not acknowledged.</summary>
    public void Silence(Run run)
    {
        foreach (var message in Unheard(run.Id))
        {
            Remove(message);
        }
    }

    /// <summary>Removes a message that the hub has, and every earlier one of the same run.</summary>
    public void Acknowledge(string messageId)
    {
        if (Message(messageId) is not { } heard)
        {
            return; // Acknowledged twice, or said again under another generation.
        }

        foreach (var message in Unheard(heard.RunId))
        {
            Remove(message);
            if (message.MessageId == messageId)
            {
                break;
            }
        }

        if (Find(heard.RunId) is { } run)
        {
            SettleIfHeard(run);
        }
    }

    private List<OutboxMessage> Unheard(string runId) =>
        [.. outbox.Values.Concat(_added).Where(message => message.RunId == runId && !_removed.Contains(message.MessageId))];

    private void Remove(OutboxMessage message)
    {
        if (_added.RemoveAll(added => added.MessageId == message.MessageId) == 0 || outbox.ContainsKey(message.MessageId))
        {
            _removed.Add(message.MessageId);
        }
    }

    private void SettleIfHeard(Run run)
    {
        if (run.State.IsFinal() && run.State != RunState.Settled && !run.ProcessMayLive && Unheard(run.Id).Count == 0)
        {
            Change(run with { State = RunRules.Next(run.State, RunSignal.Acknowledged).Next, StateSinceUnixMs = now });
        }
    }

    private Run Enter(Run run, RunSignal signal, RunState next)
    {
        // A wake that is tried again after a pause is still the same wake, with the same deadline.
        run = run with { State = next, StateSinceUnixMs = run.State == RunState.Waking && signal == RunSignal.WakeAgain ? run.StateSinceUnixMs : now };
        return signal switch
        {
            RunSignal.FailOver => _breakers.Use(run with
            {
                WakeAttempt = run.WakeAttempt + 1,
                Process = null,
                Profile = InForce(run.Facts.NextProfile),
                Facts = run.Facts.ForNextProfile(),
            }),
            RunSignal.Wake or RunSignal.Prepared or RunSignal.WakeAgain => run with
            {
                WakeAttempt = run.WakeAttempt + 1,
                Process = null,
                Profile = signal != RunSignal.WakeAgain || run.Facts.WakeRepeated || NoopProfile.Is(run.Profile.Name) ? run.Profile : InForce(run.Profile.Name), // A signal is repeated as it was.
                Facts = run.Facts with
                {
                    WokenAtUnixMs = run.Facts.WokenAtUnixMs ?? now, WokenWith = run.Facts.WakeRepeated ? run.Facts.WokenWith : null, WakeProblem = null, WakeAgainDue = false, End = null, WakeReturned = false,
                },
            },
            RunSignal.Proved => run with { Facts = run.Facts with { WakeDurationMs = now - run.Facts.WokenAtUnixMs } },
            _ => run,
        };
    }

    // A reload, or another start, may have changed it or taken it away.
    private WakeProfile InForce(string? name) => profiles.FirstOrDefault(profile => profile.Name == name) ?? profiles[0];

    private Run Judged(Run run)
    {
        var ended = run.Profile.Mode == WakeMode.Run ? run.Facts.End is not null : run.Facts.Report is not null || run.Facts.Turn is not null;
        if (!ended || run.IsEnding || run.Facts.NextProfile is not null || run.State is not (RunState.Confirming or RunState.Working))
        {
            return run;
        }

        return EndJudge.Judge(run.Profile, run.Facts.End, run.Facts.Report, run.Facts.Turn) is { } failure
            ? _breakers.After(run, failure)
            : _breakers.Clear(run);
    }
}
