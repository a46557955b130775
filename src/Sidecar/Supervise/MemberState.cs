namespace FleetSidecar.Supervise;

/// <summary>One member as the loop knows it between two looks.</summary>
internal sealed record MemberState
{
    public required MemberRecord Kept { get; init; }

    /// <summary>A word of <see cref="MemberCondition"/>.</summary>
    public string Condition { get; init; } = MemberCondition.Unknown;

    /// <summary>One line for people.</summary>
    public string Detail { get; init; } = "not looked at yet";

    public long SinceUnixMs { get; init; }

    /// <summary>Looks of this process of ours; the first one only observes.</summary>
    public int Looks { get; init; }

    /// <summary>When the first of them was.</summary>
    public long FirstLookUnixMs { get; init; }

    /// <summary>Why the last start came to nothing; null once it lives.</summary>
    public string? StartFault { get; init; }

    public int? Pid { get; init; }

    public string? Screen { get; init; }

    /// <summary>Cycles in a row in which the screen stayed as it was.</summary>
    public int Unchanged { get; init; }

    public long? NextTryUnixMs { get; init; }

    public long? HeartbeatAtUnixMs { get; init; }

    public bool HeartbeatStale { get; init; }
}

/// <summary>How a member is.</summary>
internal static class MemberCondition
{
    /// <summary>Not looked at yet, or nobody can tell.</summary>
    public const string Unknown = "unknown";

    public const string Running = "running";

    /// <summary>It does not run, and is started when its time has come and nothing forbids it.</summary>
    public const string Down = "down";

    /// <summary>It runs and does nothing; treated as down.</summary>
    public const string Stuck = "stuck";

    /// <summary>Started too often; left alone until the window has passed or somebody says retry.</summary>
    public const string GivenUp = "given_up";
}

/// <summary>What is told about a member; the first four are also the codes of incidents.</summary>
internal static class MemberNews
{
    public const string Restarted = "member_restarted", Stuck = "member_stuck", GivenUp = "member_given_up", HeartbeatStale = "heartbeat_stale";
    public const string Down = "member_down", Unclear = "member_unclear", HeartbeatFresh = "heartbeat_fresh", Recovered = "member_recovered";
}

/// <summary>Something to tell. <paramref name="Incident"/>: the hub hears of it too, which is once an episode.</summary>
internal sealed record MemberEvent(string Code, string Detail, bool Incident = false);
