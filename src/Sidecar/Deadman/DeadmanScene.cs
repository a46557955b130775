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
    public static DeadmanScene Of(string configFile, string? state, IReadOnlyList<string> settings)
    {
        var (config, problem) = Load(configFile, settings);
        config.StateDirectory = state ?? config.StateDirectory;
        var good = new LastGood(configFile, PackagePaths.DeadmanOf(configFile, config.StateDirectory));
        if (problem is not null && good.Read(settings) is { } kept)
        {
            kept.StateDirectory = state ?? kept.StateDirectory;
            config = kept;
        }

        return new DeadmanScene(config, problem, good);
    }

    /// <summary>Somebody has set this machine up. Where the configuration alone is gone and the token still there, it was not taken out of the fleet.</summary>
    public bool IsEnrolled => PathFacts.Of(Good.ConfigFile) is not null
        || (Good.IsUsable && (File.Exists(Path.Combine(Path.GetDirectoryName(Good.ConfigFile)!, "hub-token")) || (Path.IsPathRooted(Config.Hub.TokenFile) && File.Exists(Config.Hub.TokenFile))));

    private static (SidecarConfig Config, string? Problem) Load(string configFile, IReadOnlyList<string> settings)
    {
        try
        {
            return (ConfigLoader.Load(configFile, settings), null);
        }
        catch (ConfigurationException fault)
        {
            return (ConfigLoader.WhatIsReadable(configFile), fault.Message);
        }
    }
}
