using FleetSidecar.Runs;

namespace FleetSidecar.Agents.Adapters;

/// <summary>What a turn left behind, for an adapter to read.</summary>
/// <param name="End">How its process ended.</param>
/// <param name="OutOfMemory">The kernel killed something of the agent's for its use of memory.</param>
/// <param name="Lines">Standard output line by line; lines of over 1 MiB are cut, and it ends after 64 MiB. May be walked more than once.</param>
/// <param name="Errors">The last 64 KiB of standard error.</param>
internal sealed record TurnOutput(ProcessEnd End, bool OutOfMemory, IEnumerable<string> Lines, string Errors);
