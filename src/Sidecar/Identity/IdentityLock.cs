using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Identity;

/// <summary>One writer at a time, command line and daemon alike. The kernel drops it with its holder.</summary>
internal static class IdentityLock
{
    /// <exception cref="SidecarException">Somebody else is at it, or this is not the user that the files belong to.</exception>
    public static DirectoryLock Take(IdentityPaths paths)
    {
        RequireOwner(paths);
        paths.RequireKinds();
        try
        {
            return DirectoryLock.Take(paths.Home);
        }
        catch (ConfigurationException taken) when (taken.Message.EndsWith("is in use by another process", StringComparison.Ordinal))
        {
            throw new SyncUnderWayException(taken);
        }
    }

    /// <summary>Refuses another user, root too: what that one wrote the daemon could not read afterwards, and would take for a lost identity.</summary>
    public static void RequireOwner(IdentityPaths paths)
    {
        if (PathFacts.Of(Path.GetDirectoryName(paths.Home)!) is { } state && PathFacts.Of($"/proc/{Environment.ProcessId}") is { } self && state.Owner != self.Owner)
        {
            throw new SidecarException($"{Path.GetDirectoryName(paths.Home)} belongs to user {state.Owner}, and this is user {self.Owner}", $"run it as the user of the daemon: sudo -u '#{state.Owner}' fleet-sidecar …");
        }
    }
}

/// <summary>Another sync or seal holds the lock. Nothing was done.</summary>
internal sealed class SyncUnderWayException(Exception inner) : SidecarException("another sync or seal is under way", "wait for its end, then try again", inner);
