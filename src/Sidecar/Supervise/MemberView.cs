namespace FleetSidecar.Supervise;

/// <summary>One member as shown to people.</summary>
internal sealed record MemberView
{
    public required string Name { get; init; }

    public required string Kind { get; init; }

    /// <summary><c>running</c>, <c>down</c>, <c>stuck</c>, <c>given_up</c> or <c>unknown</c>.</summary>
    public required string State { get; init; }

    public string? Detail { get; init; }

    public int? Pid { get; init; }

    public long? SinceUnixMs { get; init; }

    /// <summary>Starts within the window, and how many there may be.</summary>
    public required int Starts { get; init; }

    public required int MostStarts { get; init; }

    /// <summary>When it is started next, or tried again after it was given up.</summary>
    public long? NextTryUnixMs { get; init; }

    public long? HeartbeatAtUnixMs { get; init; }

    public bool HeartbeatStale { get; init; }

    /// <summary>Nobody needs to look at it.</summary>
    public required bool Well { get; init; }

    public static MemberView Of(MemberOptions options, MemberState state) => new()
    {
        Name = options.Name,
        Kind = options.Kind,
        State = state.Condition,
        Detail = state.Detail.Length > 0 ? state.Detail : null,
        Pid = state.Pid,
        SinceUnixMs = state.SinceUnixMs > 0 ? state.SinceUnixMs : null,
        Starts = state.Kept.Starts.Count,
        MostStarts = options.Restarts,
        NextTryUnixMs = state.NextTryUnixMs,
        HeartbeatAtUnixMs = state.HeartbeatAtUnixMs,
        HeartbeatStale = state.HeartbeatStale,
        Well = state.Condition == MemberCondition.Running && !state.HeartbeatStale,
    };
}
