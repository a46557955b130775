using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Deadman;

/// <summary>Copies of the configuration files with which the daemon was last seen well: the file, and <c>conf.d</c> beside it.</summary>
/// <remarks>Kept where only root writes, because root puts them back and runs the hooks that stand in them: the daemon's user must
/// not be able to plant one.</remarks>
internal sealed class LastGood(string configFile, string directory)
{
    private const int LargestFile = 1024 * 1024;
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private string Home => Path.Combine(directory, "last-good");

    private string Main => Path.Combine(Home, "sidecar.json");

    /// <summary>The copies would start a daemon.</summary>
    public bool IsUsable => Read() is not null;

    /// <summary>What the copies say; null where there are none, or they would not do.</summary>
    public SidecarConfig? Read()
    {
        try
        {
            return File.Exists(Main) ? ConfigLoader.Load(Main, []) : null;
        }
        catch (ConfigurationException)
        {
            return null;
        }
    }

    /// <summary>Keeps the present files. The caller has seen the daemon well with them.</summary>
    public void Keep()
    {
        Directory.CreateDirectory(Path.Combine(Home, "conf.d"), Owner | UnixFileMode.UserExecute);
        var present = Files(configFile).ToDictionary(file => file.Name, file => file.Path);
        foreach (var (name, path) in Files(Main).Where(kept => kept.Name.Length > 0 && !present.ContainsKey(kept.Name)))
        {
            File.Delete(path);
        }

        foreach (var (name, path) in present)
        {
            var copy = name.Length == 0 ? Main : Path.Combine(Home, "conf.d", name);
            if (OutsideFile.Read(path, LargestFile, followLink: true) is { } bytes && !(File.Exists(copy) && bytes.AsSpan().SequenceEqual(File.ReadAllBytes(copy))))
            {
                OwnedFile.Write(copy, bytes, Owner);
            }
        }
    }

    /// <summary>Puts the copies in the place of what differs; each file that gives way stays beside its place.</summary>
    /// <returns>The names of those that gave way.</returns>
    public IReadOnlyList<string> Restore(DateTimeOffset now)
    {
        var stamp = now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var moved = new List<string>();
        var kept = Files(Main).ToDictionary(file => file.Name, file => file.Path);
        foreach (var (name, path) in Files(configFile).ToList())
        {
            var good = kept.TryGetValue(name, out var copy) ? File.ReadAllBytes(copy) : null;
            var bad = File.ReadAllBytes(path);
            if (good is not null && bad.AsSpan().SequenceEqual(good))
            {
                continue;
            }

            var aside = $"{path}.bad-{stamp}"; // No longer *.json, so no daemon reads it.
            var (mode, facts) = (File.GetUnixFileMode(path), PathFacts.Of(path));
            OwnedFile.Write(aside, bad, mode, Of(facts));
            moved.Add(aside);
            if (good is null)
            {
                File.Delete(path);
            }
            else
            {
                OwnedFile.Write(path, good, mode, Of(facts));
            }
        }

        foreach (var (name, copy) in kept)
        {
            var path = name.Length == 0 ? configFile : Path.Combine(Path.GetDirectoryName(configFile)!, "conf.d", name);
            if (!File.Exists(path))
            {
                OwnedFile.Write(path, File.ReadAllBytes(copy), Owner | UnixFileMode.GroupRead, Of(PathFacts.Of(configFile)));
            }
        }

        return moved;
    }

    private static (uint, uint)? Of(PathFacts? facts) => facts is { } known ? (known.Owner, known.Group) : null;

    // The file itself has no name here: it may be called differently in its two places.
    private static IEnumerable<(string Name, string Path)> Files(string main)
    {
        if (File.Exists(main))
        {
            yield return ("", main);
        }

        var more = Path.Combine(Path.GetDirectoryName(main)!, "conf.d");
        foreach (var path in Directory.Exists(more) ? Directory.GetFiles(more, "*.json") : [])
        {
            yield return (Path.GetFileName(path), path);
        }

    }
}
