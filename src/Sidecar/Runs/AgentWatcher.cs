using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.Outputs;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Runs;

/// <summary>Watches one woken agent: alive, heard, active, silent for too long, ended. Each thing is told once.</summary>
internal sealed class AgentWatcher(
    SidecarConfig config, AgentLauncher launcher, AgentSigns signs, AgentEnds ends, ResultFiles results, ProcessWatch watch, AgentQuestions questions, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500), ProbeEvery = TimeSpan.FromSeconds(2), ProbeLimit = TimeSpan.FromSeconds(10), Written = TimeSpan.FromSeconds(10);

    public async Task WatchAsync(OrderScene scene)
    {
        var (run, token) = (scene.Run, scene.Token);
        var isRun = run.Profile.Mode == WakeMode.Run;
        var end = isRun ? watch.EndOfAsync(run.Process!) : Task.Delay(Timeout.InfiniteTimeSpan, time, token);
        var alive = isRun ? Task.Delay(run.Profile.AliveFor, time, token) : null;
        var probing = ProbeAsync(scene);
        var silence = new Silence(time);
        while (!end.IsCompleted)
        {
            var tick = Task.Delay(Look, time, token);
            await (alive is null or { IsCompleted: true } ? Task.WhenAny(end, tick) : Task.WhenAny(end, tick, alive));
            token.ThrowIfCancellationRequested();
            if (alive is { IsCompleted: true } && !end.IsCompleted && Recorder.ReadNote(launcher.RecordDirectory(run)) is not null)
            {
                // The note says that the recorder has taken its order; without it nothing was launched, however long it lives.
                alive = null;
                await scene.LearnAsync(now => now with { Facts = now.Facts with { StayedAlive = true } });
            }

            if (isRun && !end.IsCompleted)
            {
                // A recorder that the agent has stopped could write down no end; one that runs is not disturbed.
                Signals.ToProcess(run.Process!.Pid, Signals.Continue);
            }

            FaultPoints.At(FaultPoint.Watch);
            if (probing.IsFaulted)
            {
                await probing; // A probe that broke is a fault of this order; it is not waited for until the end.
            }

            AgentOutput.Bound(launcher.RecordDirectory(run), run.Profile.MaxOutputBytes);
            await HearAsync(scene);
            await NoticeAsync(scene, silence);
        }

        await probing;
        await ends.LearnAsync(scene);
    }

    private async Task HearAsync(OrderScene scene)
    {
        var (run, known) = (scene.Run, scene.Now().Facts);
        if (!known.Received && results.HasStarted(run))
        {
            await scene.LearnAsync(now => now with { Facts = now.Facts with { Received = true } });
        }

        // An agent that a signal woke has no end at which a broken file would be told; one that is written no more is taken for whole.
        var isWhole = run.Profile.Mode == WakeMode.Signal && results.IsUnchangedSince(run, time.GetUtcNow() - Written);
        if (known.Report is null && results.Read(run, launcher.RunDirectory(run), isWhole) is { } report)
        {
            await scene.LearnAsync(now => now with { Facts = now.Facts with { Received = true, Report = now.Facts.Report ?? report } });
        }
    }

    private async Task NoticeAsync(OrderScene scene, Silence silence)
    {
        var now = scene.Now();
        var isNew = silence.Notice(signs.Look(now), now.Facts.SpokeAtUnixMs ?? 0);
        if (isNew && now.Facts.Activity < 2)
        {
            await scene.LearnAsync(run => run with { Facts = run.Facts with { Activity = Math.Min(2, run.Facts.Activity + 1) } });
        }

        if (now.State == RunState.Working)
        {
            CrashPoints.At(CrashPointName.Working);
            if (ActivityRules.Missed(silence.SinceProof(), silence.SinceSign(), config.Deadlines) is { } deadline)
            {
                await scene.Post(new RunInput.DeadlinePassed(now.Id, RunState.Working, deadline));
            }
        }
    }

    // A signal's command returns at once and says nothing of the agent; its adapter may know whom to ask.
    private async Task ProbeAsync(OrderScene scene)
    {
        var run = scene.Run;
        var adapter = AgentAdapters.Of(run.Profile);
        if (run.Profile.Mode != WakeMode.Signal || adapter.ProbeCommand(run.Profile) is not { } command)
        {
            return;
        }

        while (!scene.Token.IsCancellationRequested)
        {
            FaultPoints.At(FaultPoint.Probe);
            var outcome = await AskAsync(run.Profile, command, scene.Token);
            switch (adapter.ReadProbe(outcome, run.Facts.WokenAtUnixMs ?? run.StateSinceUnixMs))
            {
                case ProbeFinding.Ran ran:
                    await scene.LearnAsync(now => now with { Facts = now.Facts with { Activity = Math.Max(1, now.Facts.Activity), SessionId = ran.SessionId } });
                    return;
                case ProbeFinding.Failed failed:
                    await scene.LearnAsync(now => now with { Facts = now.Facts with { Turn = AgentTurn.Bad(failed.Code, failed.Reason) } });
                    return;
            }

            await Task.Delay(ProbeEvery, time, scene.Token);
        }
    }

    private async Task<string> AskAsync(WakeProfile profile, IReadOnlyList<string> command, CancellationToken token)
    {
        try
        {
            return (await questions.AskAsync(profile, command, ProbeLimit, token)).Output;
        }
        catch (SidecarException)
        {
            return ""; // Not installed, or may not be executed: it proves nothing, and the deadline says so.
        }
    }

    /// <summary>How long nothing has been seen, on the monotonic clock.</summary>
    private sealed class Silence(TimeProvider time)
    {
        private readonly long _watching = time.GetTimestamp();
        private (long Files, long Word) _last;
        private long? _sign;

        public bool Notice(long files, long word)
        {
            if ((files, word) == _last)
            {
                return false;
            }

            (_last, _sign) = ((files, word), time.GetTimestamp());
            return true;
        }

        public TimeSpan SinceProof() => time.GetElapsedTime(_watching);

        public TimeSpan? SinceSign() => _sign is { } sign ? time.GetElapsedTime(sign) : null;
    }
}
