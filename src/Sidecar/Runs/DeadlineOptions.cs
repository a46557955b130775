namespace FleetSidecar.Runs;

/// <summary>Section <c>deadlines</c>: how long each part of a run may take, each 100 ms to 7 days unless said otherwise. The names appear in reports and in the heartbeat.</summary>
internal sealed class DeadlineOptions
{
    /// <summary>From the assignment until it is on disk; default 1 min. One that could not be stored in time is turned down: the hub has given it away by then.</summary>
    public TimeSpan Accept { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Making the workspace; default 10 min.</summary>
    public TimeSpan Prepare { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>From the first wake command until one has started (run) or returned (signal); default 1 min.</summary>
    public TimeSpan Wake { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>From the wake until it is proved; default 30 s.</summary>
    public TimeSpan Confirm { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>From the proof of the wake until the agent's first output, commit or word; default 30 min, 0 for no such limit.</summary>
    public TimeSpan FirstActivity { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>Between two signs of work (output, commit, word), measured on the monotonic clock from the start of the sidecar at the earliest; default 1 h, 0 for no such limit.</summary>
    public TimeSpan Idle { get; set; } = TimeSpan.FromHours(1);

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
            ("accept", limits.Accept), ("prepare", limits.Prepare), ("wake", limits.Wake), ("confirm", limits.Confirm), ("firstActivity", limits.FirstActivity),
            ("idle", limits.Idle), ("wallClock", limits.WallClock), ("verify", limits.Verify), ("submit", limits.Submit), ("killGrace", limits.KillGrace),
        ];
    }
}
