using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Deadman;

/// <summary>Copies of the configuration files that the daemon was last seen well with: the file, and <c>conf.d</c> beside it, with owners and modes.</summary>
/// <remarks>Kept where only root writes, because root puts them back and runs the hooks that stand in them: the daemon's user must
/// not be able to plant one.</remarks>
internal sealed class LastGood(string configFile, string directory)
{
    private const UnixFileMode Closed = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Open = Closed | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    public string ConfigFile => configFile;

    private string Home => Path.Combine(directory, "last-good");

    private string Main => Path.Combine(Home, "sidecar.json");

    // Somebody may name another file with the same state directory; it must not become this one.
    private string Whose => Path.Combine(Home, "of");

    /// <summary>The copies would start a daemon.</summary>
    public bool IsUsable => Read([]) is not null;

    /// <summary>Something is not as it was when all was well: a file's text, its owner or its mode.</summary>
    public bool Differs => KeptFile.In(Main) is var kept && KeptFile.In(configFile) is var present
        && (kept.Count != present.Count || kept.Any(one => !present.TryGetValue(one.Key, out var other) || !one.Value.IsLike(other)));

    /// <summary>What the copies say; null where there are none of this file, or they would not do.</summary>
    public SidecarConfig? Read(IReadOnlyList<string> settings)
    {
        try
        {
            if (!File.Exists(Main) || !File.Exists(Whose) || File.ReadAllText(Whose) != configFile)
            {
                return null;
            }

            var config = ConfigLoader.Load(Main, settings);
            config.Origin = config.Origin with { Path = configFile };
            return config;
        }
        catch (ConfigurationException)
        {
            return null;
        }
    }

    /// <summary>Keeps the present files. The caller has seen the daemon well, and with these.</summary>
    public void Keep()
    {
        Directory.CreateDirectory(Path.Combine(Home, "conf.d"));
        File.SetUnixFileMode(Home, Closed);
        if (!File.Exists(Whose) || File.ReadAllText(Whose) != configFile)
        {
            AtomicFile.Write(Whose, configFile);
        }

        var (kept, present) = (KeptFile.In(Main), KeptFile.In(configFile));
        foreach (var (_, gone) in kept.Where(one => !present.ContainsKey(one.Key)))
        {
            File.Delete(gone.Path);
        }

        foreach (var (name, file) in present.Where(one => one.Value.Bytes is not null && !(kept.TryGetValue(one.Key, out var copy) && copy.IsLike(one.Value))))
        {
            file.CopyTo(PathOf(Main, name));
        }
    }

    /// <summary>Puts the copies in the place of what differs; each file that gives way stays beside its place, as it was.</summary>
    /// <returns>The names of those that gave way.</returns>
    /// <exception cref="IOException">Something could not be put back; the file in question is as it was.</exception>
    public IReadOnlyList<string> Restore(DateTimeOffset now)
    {
        var stamp = now.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var moved = new List<string>();
        var (kept, present) = (KeptFile.In(Main), KeptFile.In(configFile));
        foreach (var name in kept.Keys.Union(present.Keys).Order(StringComparer.Ordinal))
        {
            var (good, bad) = (kept.GetValueOrDefault(name), present.GetValueOrDefault(name));
            if (good is not null && bad is not null && good.IsLike(bad))
            {
                continue;
            }

            var path = PathOf(configFile, name);
            var aside = bad is null ? null : $"{path}.bad-{stamp}"; // No longer *.json, so no daemon reads it.
            if (aside is not null)
            {
                Directory.Move(path, aside); // Whatever it is: a file, a link, a pipe, a directory.
                moved.Add(aside);
            }

            Put(good, path, aside);
        }

        return moved;
    }

    private static void Put(KeptFile? good, string path, string? aside)
    {
        try
        {
            if (good is not null)
            {
                if (!Directory.Exists(Path.GetDirectoryName(path)))
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                    File.SetUnixFileMode(Path.GetDirectoryName(path)!, Open);
                }

                good.CopyTo(path);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            if (aside is not null)
            {
                Directory.Move(aside, path);
            }

            throw;
        }
    }

    private static string PathOf(string main, string name) => name.Length == 0 ? main : Path.Combine(Path.GetDirectoryName(main)!, "conf.d", name);
}
