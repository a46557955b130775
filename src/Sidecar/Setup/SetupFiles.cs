using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Setup;

/// <summary>The two files that setup writes, each whole or not at all, with its owner and mode from its first moment.</summary>
internal static class SetupFiles
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerAndGroup = Owner | UnixFileMode.GroupRead;
    private const int LargestToken = 4096;
    private static readonly JsonSerializerOptions Plain = new(ConfigJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string? ReadToken(string path) => OutsideFile.Read(path, LargestToken, followLink: true) is { } bytes && OutsideText.Decode(bytes).Trim() is { Length: > 0 } text ? text : null;

    /// <summary>Readable for its owner alone: root gives it to the daemon as a credential.</summary>
    public static void WriteToken(string path, string token)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        OwnedFile.Write(path, Encoding.UTF8.GetBytes(token + "\n"), Owner, (0, 0));
    }

    /// <summary>The keys of the file; empty where there is none.</summary>
    public static JsonObject ReadConfig(string path) => File.Exists(path) ? ConfigSource.FromFile(path).Keys : [];

    /// <summary>Checks the whole configuration as the daemon will read it; writes nothing.</summary>
    /// <exception cref="ConfigurationException">It would not start with this.</exception>
    public static void Check(string path, JsonObject keys) => ConfigLoader.Check(path, Text(keys));

    /// <summary>Finds out whether both can be written, by writing beside them as much as they will take.</summary>
    /// <param name="again">What a complaint ends with: what was not done yet.</param>
    /// <param name="files">The files.</param>
    /// <exception cref="ConfigurationException">They cannot; the message says why.</exception>
    public static void Probe(string again, params string[] files)
    {
        foreach (var file in files)
        {
            if (PathFacts.Of(file) is { Kind: not (PathKind.File or PathKind.Link) })
            {
                throw new ConfigurationException($"{file} is there and is no file", $"move it out of the way; {again}");
            }

            var (probe, made) = (OwnedFile.Beside($"{file}.probe"), !Directory.Exists(Path.GetDirectoryName(file)));
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                OwnedFile.Write(probe, new byte[LargestToken], Owner);
                File.Delete(probe);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new ConfigurationException($"{file} cannot be written: {fault.Message}", $"run it as root, on a disk with room; {again}", fault);
            }

            if (made && !Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(file)!).Any())
            {
                Directory.Delete(Path.GetDirectoryName(file)!); // Whoever is refused by the hub finds nothing written.
            }
        }
    }

    /// <summary>The name, or where that is taken one with the time: what somebody kept is not written over.</summary>
    public static string FreeName(string path) => PathFacts.Of(path) is null ? path : $"{path}-{TimeProvider.System.GetUtcNow():yyyyMMdd'T'HHmmss'Z'}";

    /// <summary>Checks it and puts it in place; what was there stays beside it as <c>.bak</c>.</summary>
    /// <exception cref="ConfigurationException">It would not start with this.</exception>
    public static void WriteConfig(string path, JsonObject keys)
    {
        Check(path, keys);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var group = UnixAccounts.GroupId("fleet-sidecar") is { } id ? (0u, id) : ((uint, uint)?)null;
        if (File.Exists(path))
        {
            OwnedFile.Write(FreeName($"{path}.bak"), File.ReadAllBytes(path), OwnerAndGroup, group);
        }

        OwnedFile.Write(path, Text(keys), OwnerAndGroup, group);
    }

    private static byte[] Text(JsonObject keys) => Encoding.UTF8.GetBytes(keys.ToJsonString(Plain) + "\n");
}
