using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Import;

/// <summary>Takes the token out of a file of AgentCom; every other key, the owner and the mode stay.</summary>
internal static class TokenRemoval
{
    /// <exception cref="ConfigurationException">The file is no longer what was read from it.</exception>
    public static void From(string file)
    {
        var real =
            RealPath.Of(file)
            ?? throw new ConfigurationException(
                $"{file} is gone",
                "the new files are written; nothing else is to be done"
            );
        var facts =
            PathFacts.Of(real)
            ?? throw new ConfigurationException(
                $"{file} is gone",
                "the new files are written; nothing else is to be done"
            );
        var keys = ConfigSource.FromBytes(file, ConfigFiles.ReadOne(real)).Keys;
        if (keys.Remove("token"))
        {
            OwnedFile.Write(
                real,
                Encoding.UTF8.GetBytes(keys.ToJsonString(new(ConfigJson.Default.Options)) + "\n"),
                facts.Mode,
                (facts.Owner, facts.Group)
            );
        }
    }
}
