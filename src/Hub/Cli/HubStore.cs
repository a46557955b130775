using System.CommandLine;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;

namespace FleetHub.Cli;

/// <summary>The hub's file, for the server and for commands that run beside it.</summary>
internal static partial class HubStore
{
    private const int ApplicationId = 0x464C4842; // "FLHB"

    public static readonly Option<string> Data = new("--data") { Description = "Directory that holds the hub's state", DefaultValueFactory = _ => "/var/lib/fleet-hub", HelpName = "DIR" };

    /// <exception cref="ConfigurationException">This is root, and another user owns the directory or may write there: what lies there would be opened with root's rights.</exception>
    public static void RefuseRoot(string data)
    {
        if (TrustedPath.IsRoot && PathFacts.Of($"{data}/.") is { Owner: not 0 and var owner })
        {
            throw new ConfigurationException($"{data} belongs to {UnixAccounts.NameOf(owner)}, and root opens no store of another user", $"run it as that user: runuser -u {UnixAccounts.NameOf(owner)} -- fleet-hub serve --data {data}");
        }

        RefuseDoubt(data);
    }

    // A directory of root's where others may write, or could: what the engine keeps beside the file decides what it does.
    private static void RefuseDoubt(string data)
    {
        var file = Path.GetFullPath(FilePath(data));
        string[] places = [file, $"{file}-wal", $"{file}-shm", $"{file}-journal"];
        if (TrustedPath.IsRoot && places.Select(place => TrustedPath.Doubt(place)).FirstOrDefault(doubt => doubt is not null) is { } doubt)
        {
            throw new ConfigurationException($"root opens no store that others may have put there: {doubt}", $"take the right to write from them (chmod go-w) and look at what they put there, or give {data} to the hub's own user");
        }
    }

    public static OpenedStore Open(string data) => StoreFile.Open(FilePath(data), ApplicationId, Migrations.From(typeof(HubStore).Assembly), TimeProvider.System, mayBeOlder: true);

    /// <summary>For a command: beside a running hub the file is used as it is; without one it may be made. Root becomes the user of the directory first.</summary>
    public static Store OpenForCommand(string data)
    {
        if (!UserChange.BecomeOwnerOf(data))
        {
            RefuseDoubt(data);
        }

        if (File.Exists(FilePath(data)) && IsServed(data))
        {
            return StoreFile.OpenBeside(FilePath(data), ApplicationId);
        }

        if (!File.Exists(FilePath(data)))
        {
            throw new SidecarException($"there is no hub in {data}", "start 'fleet-hub serve --data DIR' there once, or name the right directory");
        }

        using var directory = DirectoryLock.Take(data);
        return StoreFile.OpenUndamaged(FilePath(data), ApplicationId, Migrations.From(typeof(HubStore).Assembly), TimeProvider.System);
    }

    private static string FilePath(string data) => Path.Combine(data, "hub.db");

    private static bool IsServed(string data)
    {
        try
        {
            DirectoryLock.Take(data, wait: false).Dispose();
            return false;
        }
        catch (ConfigurationException)
        {
            return true;
        }
    }

    [LoggerMessage(HubEvents.StoreDamaged, LogLevel.Error, "the store was damaged and is now at {File}; begun anew, tasks in it must be recovered by hand", EventName = "StoreDamaged")]
    public static partial void ReportDamage(ILogger log, string file);

    [LoggerMessage(HubEvents.StoreOlder, LogLevel.Warning, "the store in {Directory} is older than the one that was open here last: a backup that was put back, or its log (hub.db-wal) was taken away; what came after it is missing", EventName = "StoreOlder")]
    public static partial void ReportOlder(ILogger log, string directory);
}
