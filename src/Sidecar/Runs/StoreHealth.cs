namespace FleetSidecar.Runs;

/// <summary>Where a damaged store was moved at this start, or null. Shown in status and told to the hub.</summary>
internal sealed record StoreHealth(string? DamagedFile);
