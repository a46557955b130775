using FleetSidecar.Ground.Files;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents.Adapters;

/// <summary>What a turn left behind, for an adapter to read.</summary>
/// <param name="End">How its process ended.</param>
/// <param name="OutOfMemory">The kernel killed something of the agent's for its use of memory.</param>
/// <param name="Lines">Standard output line by line, to its end. May be walked more than once.</param>
/// <param name="Errors">The last 64 KiB of standard error.</param>
internal sealed record TurnOutput(ProcessEnd End, bool OutOfMemory, OutsideLines Lines, string Errors);
