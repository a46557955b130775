using FleetSidecar.Runs;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Drain;

/// <summary>Pause, drain and resume: on disk before anybody is told, and before anything that was assigned later is judged.</summary>
internal sealed class IntakeControl(RunLoop runs, SafeMode safeMode, AliveFile alive, TimeProvider time)
{
    /// <summary>Takes nothing more; runs go on. Ends by itself after <paramref name="duration"/>, where one is given.</summary>
    public Task<IntakeState> PauseAsync(TimeSpan? duration, string reason, CancellationToken token) => DecideAsync(IntakeMode.Paused, reason, duration, token);

    /// <summary>Takes nothing more; runs may end, and are stopped at the deadline, where there is one. Holds until <see cref="ResumeAsync"/>. Said again, it
    /// changes what is given and keeps the rest.</summary>
    public Task<IntakeState> DrainAsync(TimeSpan? deadline, string? reason, CancellationToken token) =>
        DecideAsync(IntakeMode.Draining, reason ?? (IsDraining ? runs.Intake.Reason : null), deadline, token, IsDraining ? runs.Intake.UntilUnixMs : null);

    /// <summary>Takes work again, whatever closed the door: a pause, a drain, safe mode.</summary>
    public Task<IntakeState> ResumeAsync(CancellationToken token)
    {
        safeMode.Leave();
        return DecideAsync(IntakeMode.Open, null, null, token);
    }

    /// <summary>True while a drain holds, which nothing but <see cref="ResumeAsync"/> ends.</summary>
    public bool IsDraining => runs.Intake.Mode == IntakeMode.Draining;

    private async Task<IntakeState> DecideAsync(IntakeMode mode, string? reason, TimeSpan? limit, CancellationToken token, long? keptUntil = null)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var intake = new IntakeState(mode, reason, now, limit is { } length ? now + (long)length.TotalMilliseconds : keptUntil);
        var stored = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await runs.PostAsync(new RunInput.IntakeDecided(intake, stored), token);
        await stored.Task.WaitAsync(token);
        alive.Touch(); // Before whoever closed the door hears that it is closed: the dead man's switch must know, too.
        return intake;
    }
}
