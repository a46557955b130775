namespace FleetSidecar.Agents.Units;

/// <summary>A run's directories could not be made ours alone: somebody else can still change what lies there, so nothing of ours reads it.</summary>
internal sealed class StillGivenException(string message) : IOException(message);
