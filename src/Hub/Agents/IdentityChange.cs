namespace FleetHub.Agents;

/// <summary>One time that a connection took an identity from another process, or was refused it.</summary>
/// <param name="At">Monotonic, from the clock's own zero.</param>
/// <param name="From">The process that had the identity; null where it does not name itself (version 1).</param>
/// <param name="To">The process that came.</param>
internal sealed record IdentityChange(TimeSpan At, string? From, string? To)
{
    /// <summary>The older connection answered when it was told to go, so its process lives.</summary>
    public bool OlderAnswered { get; set; }
}
