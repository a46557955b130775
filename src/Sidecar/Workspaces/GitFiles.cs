using System.Buffers;
using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>What git opens in a repository that an agent had in its hands: plain files of a sane size and number. A pipe would hold it for ever, a link lead it anywhere, the rest take all memory.</summary>
internal static class GitFiles
{
    private const int MostObjects = 500_000, MostPacks = 20_000, MostRefs = 200_000, DeepestRef = 50, LongestAlternates = 10_000;
    private const long LargestRef = 64 << 10, LargestLog = 64 << 20;

    // Git reads the last two whole; an index is copied by us.
    private static readonly (string Name, long Largest)[] Single = [("index", 512 << 20), ("packed-refs", 256 << 20), ("shallow", 16 << 20)];

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789abcdef");
    private static readonly EnumerationOptions All = new() { AttributesToSkip = 0, IgnoreInaccessible = true };

    /// <summary>What is wrong with the files of a repository, or null. Goes through them one by one and stops at the first.</summary>
    /// <param name="repository">The <c>.git</c> directory.</param>
    /// <param name="mirrors">Where the repositories lie of which this may borrow objects; null allows none.</param>
    public static string? Complaint(string repository, string? mirrors) =>
        Single.Select(one => Odd(repository, Path.Combine(repository, one.Name), one.Largest)).FirstOrDefault(odd => odd is not null)
            ?? Objects(repository, Path.Combine(repository, "objects"))
            ?? Lenders(repository, mirrors)
            ?? Refs(repository, "refs", LargestRef) ?? Refs(repository, "logs", LargestLog);

    private static string? Odd(string repository, string path, long largest) => PathFacts.Of(path) switch
    {
        null => null,
        { Kind: PathKind.File } file => file.Length <= largest ? null : $"the clone's {Name(repository, path)} is larger than {largest >> 10} KiB",
        _ => NotGits(repository, path),
    };

    private static string? Objects(string repository, string objects)
    {
        var all = 0;
        foreach (var directory in Directory.EnumerateFileSystemEntries(objects, "*", All))
        {
            var name = Path.GetFileName(directory);
            if (IsLeftover(name) && PathFacts.Of(directory) is { Kind: PathKind.Directory })
            {
                continue; // Of a git that was killed; no other one looks into it.
            }

            var isLoose = name.Length == 2 && name.All(char.IsAsciiHexDigitLower);
            if (!(isLoose || name is "pack" or "info") || PathFacts.Of(directory) is not { Kind: PathKind.Directory })
            {
                return NotGits(repository, directory);
            }

            var here = 0;
            foreach (var path in Directory.EnumerateFileSystemEntries(directory, "*", All))
            {
                if (++here > (isLoose ? MostObjects : MostPacks) || ++all > MostObjects)
                {
                    return $"the clone's {Name(repository, directory)} holds too many files";
                }

                if (!isLoose && PathFacts.Of(path) is { Kind: PathKind.Directory } && IsChain(name, Path.GetFileName(path)))
                {
                    if (Directory.EnumerateFileSystemEntries(path, "*", All).Take(MostPacks).FirstOrDefault(part => PathFacts.Of(part) is not { Kind: PathKind.File }) is { } odd)
                    {
                        return NotGits(repository, odd);
                    }

                    continue;
                }

                if ((isLoose && !IsLoose(Path.GetFileName(path.AsSpan()))) || PathFacts.Of(path) is not { Kind: PathKind.File })
                {
                    return NotGits(repository, path);
                }
            }
        }

        return null;
    }

    // What a git receives is there first.
    private static bool IsLeftover(string name) => name.StartsWith("tmp_objdir-", StringComparison.Ordinal) || name.StartsWith("incoming-", StringComparison.Ordinal);

    // Lists of commits and of packs in several files, as maintenance makes them. Our git does not read the first.
    private static bool IsChain(string place, string name) => (place, name) is ("info", "commit-graphs") or ("pack", "multi-pack-index.d");

    // The second is what a git that was killed leaves.
    private static bool IsLoose(ReadOnlySpan<char> name) =>
        name.Length == 38 ? !name.ContainsAnyExcept(Digits) : name.StartsWith("tmp_obj_", StringComparison.Ordinal) && name.Length < 38;

    /// <summary>The mirrors that a repository borrows objects from.</summary>
    public static IEnumerable<string> MirrorsOf(string repository, string? mirrors) =>
        LendersOf(repository).Where(line => Mirrors.IsStore(line, mirrors)).Select(line => Path.GetDirectoryName(line)!);

    // Git opens each repository that is named here, and reads its configuration too where it asks for what that one's refs hold.
    private static string? Lenders(string repository, string? mirrors) =>
        LendersOf(repository).All(line => Mirrors.IsStore(line, mirrors))
            ? null : "the clone borrows objects from elsewhere (.git/objects/info/alternates)";

    private static string[] LendersOf(string repository)
    {
        var file = Path.Combine(repository, "objects", "info", "alternates");
        return PathFacts.Of(file) is null ? []
            : OutsideFile.Read(file, LongestAlternates, followLink: false) is { } bytes ? Encoding.UTF8.GetString(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : [""]; // What cannot be read is no mirror's name.
    }

    // A ref may have any name that holds no control character, so its file need not have one that is text.
    private static string? Refs(string repository, string name, long largest)
    {
        var left = MostRefs;
        return PathFacts.Of(Path.Combine(repository, name)) is null ? null : Below(ByteEntries.PathOf(Path.Combine(repository, name)), DeepestRef);

        string? Below(byte[] directory, int depth)
        {
            foreach (var path in ByteEntries.In(directory))
            {
                var odd = --left < 0 || depth == 0 ? $"the clone's .git/{name} holds too many files"
                    : PathFacts.Of(path) switch
                    {
                        { Kind: PathKind.Directory } => Below(path, depth - 1),
                        { Kind: PathKind.File } file => file.Length <= largest ? null : $"the clone's {Name(repository, OutsideText.Decode(path.AsSpan(0, path.Length - 1)))} is larger than {largest >> 10} KiB",
                        _ => NotGits(repository, OutsideText.Decode(path.AsSpan(0, path.Length - 1))),
                    };
                if (odd is not null)
                {
                    return odd;
                }
            }

            return null;
        }
    }

    private static string NotGits(string repository, string path) => $"the clone's {Name(repository, path)} is not what git makes there";

    private static string Name(string repository, string path) => Path.Combine(".git", Printable.Cut(Path.GetRelativePath(repository, path), 200));
}
