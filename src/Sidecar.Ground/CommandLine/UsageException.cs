namespace FleetSidecar.Ground.CommandLine;

/// <summary>The command was called in a way that cannot work. Exit code 64.</summary>
public sealed class UsageException(string message, string hint) : SidecarException(message, hint);
