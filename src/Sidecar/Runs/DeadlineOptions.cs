namespace FleetSidecar.Runs;

/// <summary>Section <c>deadlines</c>: how long each part of a run may take, each 100 ms to 7 days. The names appear in reports and in the heartbeat.</summary>
internal sealed class DeadlineOptions
{
    /// <summary>Making the workspace; default 10 min.</summary>
    public TimeSpan Prepare { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>From the first wake command until one has started (run) or returned (signal); default 1 min.</summary>
    public TimeSpan Wake { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>From the wake until it is proved; default 30 s.</summary>
    public TimeSpan Confirm { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The agent's whole time for the task, from the proof on; default 4 h.</summary>
    public TimeSpan WallClock { get; set; } = TimeSpan.FromHours(4);

    /// <summary>Checking the work; default 20 min.</summary>
    public TimeSpan Verify { get; set; } = TimeSpan.FromMinutes(20);

    /// <summary>Pushing the work and proving it; default 10 min.</summary>
    public TimeSpan Submit { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Between TERM and KILL; default 5 s.</summary>
    public TimeSpan KillGrace { get; set; } = TimeSpan.FromSeconds(5);
}

/// <summary>The deadlines as a list. Not a member of the options: a key of its name in the file is an unknown key.</summary>
internal static class DeadlineList
{
    extension(DeadlineOptions limits)
    {
        public IEnumerable<(string Name, TimeSpan Value)> All =>
        [
            ("prepare", limits.Prepare), ("wake", limits.Wake), ("confirm", limits.Confirm), ("wallClock", limits.WallClock), ("verify", limits.Verify),
            ("submit", limits.Submit), ("killGrace", limits.KillGrace),
        ];
    }
}
