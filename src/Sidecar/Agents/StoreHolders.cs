using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Agents;

/// <summary>Processes of agents that have the sidecar's store, or its lock, open. Without systemd an agent is the same user; one that locks
/// the store keeps every decision from being stored, that to stop it as well, and one that takes the lock keeps every start out.</summary>
internal static class StoreHolders
{
    /// <summary>Kills them. No agent has business with that file.</summary>
    /// <returns>How many there were.</returns>
    public static int End(SidecarConfig config)
    {
        if (config.AgentsInUnits)
        {
            return 0; // Another user, who does not see the file.
        }

        var (store, taken) = (RealPath.Of(config.DatabaseFile) ?? config.DatabaseFile, Path.Combine(RealPath.Of(config.StateDirectory) ?? config.StateDirectory, DirectoryLock.FileName));
        var holders = ProcessScan.AllBelow(config.RunsDirectory).Where(process => !ProcessScan.IsRecorder(process)
            && OpenFiles.Of(process.Pid).Any(file => file == store || file == taken || file.StartsWith($"{store}-", StringComparison.Ordinal))).ToList();
        holders.ForEach(holder => Signals.ToProcess(holder.Pid, Signals.Kill));
        return holders.Count;
    }

    /// <summary>Takes the state directory; where an agent has its lock, once more without that agent.</summary>
    public static DirectoryLock Take(SidecarConfig config)
    {
        try
        {
            return DirectoryLock.Take(config.StateDirectory);
        }
        catch (ConfigurationException) when (End(config) > 0)
        {
            return DirectoryLock.Take(config.StateDirectory);
        }
    }

    /// <summary>Opens the store; where an agent has locked it, once more without that agent: no start would ever succeed.</summary>
    public static OpenedStore Open(SidecarConfig config, Func<OpenedStore> open)
    {
        try
        {
            return open();
        }
        catch (StoreUnavailableException fault) when (fault.IsLocked && End(config) > 0)
        {
            return open();
        }
    }
}
