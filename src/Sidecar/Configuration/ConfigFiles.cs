using System.Security.Cryptography;
using System.Text;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Configuration;

/// <summary>The files of a configuration as bytes, each read once: the file that was named, then <c>conf.d/*.json</c> beside it in order.</summary>
internal sealed record ConfigFiles(IReadOnlyList<(string Path, byte[] Bytes, PathFacts? Facts)> All)
{
    /// <summary>A file may have at most so many bytes.</summary>
    public const int LargestFile = 1024 * 1024;

    private const string Hint = "name an existing file with --config, readable for this user";

    /// <summary>Tells one state of the files from another: text, owner and mode as they were when they were read. The dead man's switch compares what the daemon read with what is there.</summary>
    public string Fingerprint
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (var index = 0; index < All.Count; index++)
            {
                var (path, bytes, facts) = All[index];
                hash.AppendData(Encoding.UTF8.GetBytes($"{(index == 0 ? "" : Path.GetFileName(path))}\0{facts?.Owner}\0{facts?.Group}\0{(int?)facts?.Mode}\0{bytes.Length}\0"));
                hash.AppendData(bytes);
            }

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
    }

    /// <exception cref="ConfigurationException">One of them cannot be read.</exception>
    public static ConfigFiles Read(string path) => new([.. More(path).Prepend(path).Select(file => (file, ReadOne(file), RealPath.Of(file) is { } real ? PathFacts.Of(real) : null))]);

    /// <summary>The names of the files beside it. Hidden ones do not count: editors leave such.</summary>
    /// <exception cref="ConfigurationException">The directory is there and cannot be looked into.</exception>
    public static IReadOnlyList<string> More(string path)
    {
        // No directory: the root itself, or nothing, was named; reading it says so.
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal) || Path.GetDirectoryName(Path.GetFullPath(path)) is not { } directory || PathFacts.Of(Path.Combine(directory, "conf.d")) is null)
        {
            return [];
        }

        try
        {
            return [.. Directory.GetFiles(Path.Combine(directory, "conf.d"), "*.json").Where(file => !Path.GetFileName(file).StartsWith('.')).Order(StringComparer.Ordinal)];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"cannot read {Path.Combine(directory, "conf.d")}: {fault.Message}", "make it a directory that this user can read, or remove it", fault);
        }
    }

    /// <exception cref="ConfigurationException">It cannot be read; the message says why.</exception>
    public static byte[] ReadOne(string path)
    {
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ConfigurationException("the configuration file has no name", "name an existing file with --config");
        }

        // A pipe would keep whoever opens it waiting for ever: the start, the reload, the dead man's switch.
        var facts = RealPath.Of(path) is { } real ? PathFacts.Of(real) : null;
        if (facts is { Kind: PathKind.Socket or PathKind.Other })
        {
            throw new ConfigurationException($"{path} is a pipe, a socket or a device", "put a file of JSON there");
        }

        if (OutsideFile.Read(path, LargestFile, followLink: true) is { } bytes)
        {
            return bytes;
        }

        try
        {
            return facts is { Kind: PathKind.File, Length: > LargestFile }
                ? throw new ConfigurationException($"{path} is longer than 1 MiB", "is it the right file?")
                : File.ReadAllBytes(path); // To hear why not.
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"cannot read {path}: {fault.Message}", Hint, fault);
        }
    }
}
