namespace FleetHub;

/// <summary>What the hub's options must satisfy together. Pure.</summary>
internal static class HubOptionsRules
{
    /// <summary>The first thing that does not fit together, or null.</summary>
    /// <remarks>
    /// While a connection counts as alive, its agent may be given work. With a lease that ends first, a task is given into a
    /// dead network, to the same agent that still works on it, and is executed twice. A silent connection is looked for four
    /// times within the idle limit, so it is cut after one and a quarter of it at the latest.
    /// </remarks>
    public static string? Complaint(HubOptions options) => options.Lease < ShortestLease(options.IdleLimit)
        ? $"--lease {options.Lease:c} is too short beside --idle-limit {options.IdleLimit:c}: at least "
            + $"{ShortestLease(options.IdleLimit):c} is needed, or a task is given away while its agent still counts as connected"
        : null;

    /// <summary>The idle limit and a third more.</summary>
    public static TimeSpan ShortestLease(TimeSpan idleLimit) => idleLimit * 4 / 3;
}
