using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Import;

/// <summary>Takes the token out of a file of AgentCom; every other key, the owner and the mode stay.</summary>
/// <remarks>
/// Root does it in a directory of another user, whose agent may be at work there and put links in the place of directories and files.
/// So the directory is opened without following any, it is changed by what was opened, and the file must be its owner's own.
/// </remarks>
internal static class TokenRemoval
{
    private const int LargestFile = 1024 * 1024;

    /// <exception cref="ConfigurationException">The file is no longer what was read from it.</exception>
    public static void From(string file)
    {
        if (RealPath.Of(file) is not { } real)
        {
            throw Gone(file);
        }

        var steps = real.Split('/', StringSplitOptions.RemoveEmptyEntries);
        using var directory = InsideDirectory.Open("/", steps.AsSpan(..^1));
        if (directory is null || PathFacts.Of(directory[steps[^1]]) is not { Kind: PathKind.File } facts)
        {
            throw Gone(file);
        }

        // Where root alone may write, no other user can swap the file.
        if (TrustedPath.IsRoot && !directory.IsOfRootAlone && facts.Owner != directory.Owner)
        {
            throw new ConfigurationException($"the token stays in {file}: it is not owned by the owner of its directory", "take \"token\" out of it by hand");
        }

        var bytes = OutsideFile.Read(directory[steps[^1]], LargestFile, followLink: false)
            ?? throw new ConfigurationException($"the token stays in {file}: it cannot be read, or is longer than {LargestFile} bytes", "take \"token\" out of it by hand");

        var keys = ConfigSource.FromBytes(file, bytes).Keys;
        if (keys.Remove("token"))
        {
            OwnedFile.Write(directory[steps[^1]], Encoding.UTF8.GetBytes(keys.ToJsonString(new(ConfigJson.Default.Options)) + "\n"), facts.Mode, (facts.Owner, facts.Group));
        }
    }

    private static ConfigurationException Gone(string file) => new($"{file} is gone", "the new files are written; nothing else is to be done");
}
