using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Deadman;

/// <summary>What a pass goes by: the configuration, or the last good one where the present one cannot be used.</summary>
internal sealed record DeadmanScene(SidecarConfig Config, string? Problem, LastGood Good)
{
    /// <param name="configFile">The daemon's configuration file.</param>
    /// <param name="state">Its state directory, where the caller knows it; null for what the configuration says.</param>
    /// <param name="settings">What its unit sets beside the files.</param>
    /// <exception cref="ConfigurationException">This is root, and another user decides what stands in the files' place.</exception>
    public static DeadmanScene Of(string configFile, string? state, IReadOnlyList<string> settings)
    {
        RequireTrust(configFile);
        var (config, problem) = Load(configFile, settings);
        config.StateDirectory = state ?? config.StateDirectory;
        var home = PackagePaths.DeadmanOf(configFile, config.StateDirectory);
        RequireTrustIn(home);
        var good = new LastGood(configFile, home);
        if (problem is not null && good.Read(settings) is { } kept)
        {
            kept.StateDirectory = state ?? kept.StateDirectory;
            RequireTrustIn(PackagePaths.DeadmanOf(configFile, kept.StateDirectory));
            config = kept;
        }

        return new DeadmanScene(config, problem, good);
    }

    /// <summary>Somebody has set this machine up. Where the configuration alone is gone and the token still there, it was not taken out of the fleet.</summary>
    public bool IsEnrolled => PathFacts.Of(Good.ConfigFile) is not null
        || (Good.IsUsable && (File.Exists(Path.Combine(Path.GetDirectoryName(Good.ConfigFile)!, "hub-token")) || (Path.IsPathRooted(Config.Hub.TokenFile) && File.Exists(Config.Hub.TokenFile))));

    // Root runs the hooks that these files name, and renames and writes files beside them.
    private static void RequireTrust(string configFile)
    {
        var directory = Path.GetDirectoryName(configFile) ?? "/";
        if (TrustedPath.IsRoot && (TrustedPath.Doubt(directory) ?? TrustedPath.Doubt(Path.Combine(directory, "conf.d"))) is { } doubt)
        {
            throw new ConfigurationException($"root does nothing by {configFile}: {doubt}", "give the directory to root, and look at what is in it");
        }
    }

    // Root puts back what lies there and runs the hooks that it names, and believes when and how often it did.
    private static void RequireTrustIn(string home)
    {
        if (TrustedPath.IsRoot && DoubtIn(home) is { } doubt)
        {
            throw new ConfigurationException($"root keeps and believes nothing in {home}: {doubt}",
                "let the switch run as the daemon's own user, or put the state directory where only root makes directories, as /var/lib");
        }
    }

    private static string? DoubtIn(string home)
    {
        try
        {
            return TrustedPath.Doubt(Path.GetDirectoryName(home)!) ?? TrustedPath.Doubt(home)
                ?? (Directory.Exists(home) ? Directory.EnumerateFileSystemEntries(home, "*", SearchOption.AllDirectories).Select(place => TrustedPath.Doubt(place)).FirstOrDefault(found => found is not null) : null);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return fault.Message;
        }
    }

    private static (SidecarConfig Config, string? Problem) Load(string configFile, IReadOnlyList<string> settings)
    {
        try
        {
            return TrustedPath.IsRoot && ConfigFiles.More(configFile).Prepend(configFile).Select(file => TrustedPath.Doubt(file)).FirstOrDefault(found => found is not null) is { } doubt
                ? (ConfigLoader.WhatIsReadable(configFile), $"root goes by no file that another user may write: {doubt}")
                : (ConfigLoader.Load(configFile, settings), null);
        }
        catch (ConfigurationException fault)
        {
            return (ConfigLoader.WhatIsReadable(configFile), fault.Message);
        }
    }
}
