using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Identity;

/// <summary>One writer at a time, command line and daemon alike. The kernel drops it with its holder.</summary>
internal static class IdentityLock
{
    /// <exception cref="SidecarException">Somebody else is at it.</exception>
    public static DirectoryLock Take(IdentityPaths paths)
    {
        try
        {
            return DirectoryLock.Take(paths.Home);
        }
        catch (ConfigurationException taken) when (taken.Message.EndsWith("is in use by another process", StringComparison.Ordinal))
        {
            throw new SyncUnderWayException(taken);
        }
    }
}

/// <summary>Another sync or seal holds the lock. Nothing was done.</summary>
internal sealed class SyncUnderWayException(Exception inner) : SidecarException("another sync or seal is under way", "wait for its end, then try again", inner);
