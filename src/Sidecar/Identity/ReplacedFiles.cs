using System.Globalization;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Identity;

/// <summary>Keeps what stood in the place of an identity file before it is overwritten: our judgement may be wrong, and nothing else has those bytes.</summary>
internal sealed class ReplacedFiles(IdentityPaths paths)
{
    private const int KeptTimes = 20;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>A durable copy of a file or link below a root, with what SQLite keeps beside it. The same bytes are kept once a sync.</summary>
    /// <returns>Where it is, or null where there is nothing that could be lost by writing there.</returns>
    /// <exception cref="SidecarException">It could not be kept, so it must not be overwritten.</exception>
    public string? Keep(SyncPlan plan, string root, string path)
    {
        try
        {
            // A directory is moved aside where it is, not overwritten.
            var there = IdentityBook.Companions(path).Prepend(path).Where(name => PathFacts.Of(Path.Combine(root, name)) is { Kind: PathKind.File or PathKind.Link }).ToList();
            if (there.Count == 0)
            {
                return null;
            }

            // All are read before any is kept: a place has the whole set of one moment, or is not used.
            var set = there.Select(name => (Name: name, Bytes: Content(Path.Combine(root, name)))).ToList();
            var time = Path.Combine(paths.Replaced, DateTimeOffset.FromUnixTimeMilliseconds(plan.StartedAtUnixMs).ToString("yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture));
            var place = Enumerable.Range(0, int.MaxValue).Select(at => at == 0 ? time : $"{time}-{at}")
                .First(candidate => set.All(one => PathFacts.Of(Path.Combine(candidate, one.Name)) is null || Same(Path.Combine(candidate, one.Name), one.Bytes)));
            foreach (var (name, bytes) in set.Where(one => PathFacts.Of(Path.Combine(place, one.Name)) is null))
            {
                var copy = Path.Combine(place, name);
                Directories.Make(Path.GetDirectoryName(copy)!);
                OwnedFile.Write(copy, bytes, Private);
            }

            return Path.Combine(place, path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new SidecarException($"identity_not_kept: {path} is not this agent's and would be replaced, but a copy could not be kept first: {fault.Message}; nothing was written over it", "free space in the state directory, or let the service user read the file", fault);
        }
    }

    /// <summary>Removes all but the newest.</summary>
    public void Prune()
    {
        if (Directory.Exists(paths.Replaced))
        {
            foreach (var old in Directory.GetDirectories(paths.Replaced).OrderDescending(StringComparer.Ordinal).Skip(KeptTimes))
            {
                Directory.Delete(old, recursive: true);
            }
        }
    }

    private static byte[] Content(string path) => PathFacts.Of(path) is { Kind: PathKind.Link }
        ? System.Text.Encoding.UTF8.GetBytes($"symbolic link to {new FileInfo(path).LinkTarget}\n")
        : OutsideFile.Read(path, IdentitySources.LargestFile, followLink: false) ?? throw new IOException($"{path} cannot be read, or has more than {IdentitySources.LargestFile} bytes");

    private static bool Same(string path, byte[] bytes) => OutsideFile.Read(path, IdentitySources.LargestFile, followLink: false) is { } kept && kept.AsSpan().SequenceEqual(bytes);
}
