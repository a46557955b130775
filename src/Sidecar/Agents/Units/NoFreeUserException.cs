using FleetSidecar.Ground;

namespace FleetSidecar.Agents.Units;

/// <summary>Every user for agents has a run just now. It says nothing about the program that was to be looked at.</summary>
internal sealed class NoFreeUserException(string message, string hint) : SidecarException(message, hint);
