using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Runs;

/// <summary>Watches one woken agent: alive, heard, active, silent for too long, ended. Each thing is told once.</summary>
internal sealed class AgentWatcher(
    SidecarConfig config, AgentLauncher launcher, AgentSigns signs, AgentEnds ends, ResultFiles results, ProcessWatch watch, ToolRunner tools, TimeProvider time)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500), ProbeEvery = TimeSpan.FromSeconds(2), ProbeLimit = TimeSpan.FromSeconds(10);

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

        if (known.Report is null && results.Read(run, launcher.RunDirectory(run), final: false) is { } report)
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
            CrashPoints.At("working");
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

        var environment = AgentEnvironment.For(launcher.RunDirectory(run), run.Nonce, run.Profile, config).ToDictionary(pair => pair.Key, pair => pair.Value);
        while (!scene.Token.IsCancellationRequested)
        {
            var outcome = await AskAsync(command, environment, scene);
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

    private async Task<string> AskAsync(IReadOnlyList<string> command, Dictionary<string, string> environment, OrderScene scene)
    {
        try
        {
            return (await tools.RunAsync(command, environment, launcher.RunDirectory(scene.Run), ProbeLimit, scene.Token)).Output;
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
