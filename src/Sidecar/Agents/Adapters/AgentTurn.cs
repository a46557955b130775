namespace FleetSidecar.Agents.Adapters;

/// <summary>How a turn ended, read from the agent program's own record and from how its process ended. Stored with the run.</summary>
internal sealed record AgentTurn
{
    /// <summary>A terminal record says that the turn ended well, and nothing contradicts it.</summary>
    public required bool Ok { get; init; }

    /// <summary>Where it is not: one of <see cref="Protocol.FailureClass"/>.</summary>
    public string? FailureCode { get; init; }

    /// <summary>Why, one line.</summary>
    public string? Reason { get; init; }

    /// <summary>What the agent said last.</summary>
    public string? Output { get; init; }

    public string? SessionId { get; init; }

    public string? Provider { get; init; }

    public string? Model { get; init; }

    public TokenUse? Tokens { get; init; }

    /// <summary>US dollars, where the program says so itself.</summary>
    public decimal? CostUsd { get; init; }

    public static AgentTurn Bad(string code, string reason) => new() { Ok = false, FailureCode = code, Reason = reason };
}

/// <summary>Tokens as the program counted them; a part that it does not tell is absent, never a guess.</summary>
internal sealed record TokenUse
{
    public long? Input { get; init; }

    public long? Output { get; init; }

    public long? CacheRead { get; init; }

    public long? CacheWrite { get; init; }

    /// <summary>The program's own sum, else the sum of the parts.</summary>
    public required long Total { get; init; }
}
