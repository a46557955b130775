using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>What stands in a repository for a file that git-lfs keeps elsewhere: a few lines with the file's hash and its length.</summary>
/// <remarks>git-lfs itself is never run on a clone: what it does there, and with whom it speaks, is said by files of the agent's.</remarks>
internal static partial class LfsPointers
{
    private const string Objects = ".git/lfs/objects", Version = "^version https://git-lfs.github.com/spec/", HashMark = "oid sha256:", Hash = $"^{HashMark}[0-9a-f]{{64}}$";
    private const int LongestPointer = 1024, MostNames = 50, MostObjects = 100_000;

    /// <summary>The hash and the length that a pointer names; null for what is none. Pure.</summary>
    public static (string Hash, long Length)? Parse(string text) =>
        Pointer().Match(text) is { Success: true } found && long.TryParse(found.Groups["length"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            ? (found.Groups["hash"].Value, length) : null;

    /// <summary>Whether a file is the one that a pointer stands for.</summary>
    public static async Task<bool> StandsForAsync(string pointer, string path, CancellationToken token)
    {
        if (OutsideFile.Read(pointer, LongestPointer, followLink: false) is not { } bytes || Parse(OutsideText.Decode(bytes)) is not { } expected
            || PathFacts.Of(path) is not { Kind: PathKind.File } facts || facts.Length != expected.Length || IsProgram(facts) != IsProgram(PathFacts.Of(pointer)))
        {
            return false;
        }

        await using var file = OutsideFile.Stream(path);
        return file is not null && Convert.ToHexStringLower(await SHA256.HashDataAsync(file, token)) == expected.Hash;
    }

    private static bool IsProgram(PathFacts? facts) => facts is { } known && (known.Mode & UnixFileMode.UserExecute) != 0;

    /// <summary>Names of files in a commit whose pointers came with some commits; at most fifty of them are told.</summary>
    public static async Task<IReadOnlyList<string>> AddedAsync(Origin origin, string work, string range, string commit, CancellationToken token)
    {
        var changed = await origin.AskAsync(work, token, "log", "-z", "--format=", "--name-only", "--no-ext-diff", "--no-textconv", $"-G{Hash}", range);
        var names = changed.Output.Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(name => name.TrimStart('\n')).Where(name => name.Length > 0).Distinct().Take(MostNames).ToList();
        return !changed.Ok || names.Count == 0 ? []
            : [.. (await origin.AskAsync(work, token, ["--literal-pathspecs", "grep", "-l", "-e", Version, commit, "--", .. names])).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..])];
    }

    /// <summary>Why the objects of git-lfs in a clone may be nowhere else; null where there are none, or the commit that the work began at names them all.</summary>
    public static async Task<string?> OnlyHereAsync(Origin origin, string work, string start, CancellationToken token)
    {
        var directory = Path.Combine(work, Objects);
        const string Kept = "it holds objects of git-lfs, which the sidecar does not push";
        if (PathFacts.Of(Path.GetDirectoryName(directory)!) is not { Kind: PathKind.Directory } || PathFacts.Of(directory) is not { Kind: PathKind.Directory })
        {
            return PathFacts.Of(Path.GetDirectoryName(directory)!) is null || PathFacts.Of(directory) is null ? null : Kept;
        }

        try
        {
            var objects = Directory.EnumerateFiles(directory, "*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 3, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false }).Take(MostObjects + 1).Select(file => Path.GetFileName(file)).ToHashSet(StringComparer.Ordinal);
            if (objects.Count is 0 or > MostObjects)
            {
                return objects.Count == 0 ? null : Kept;
            }

            var known = await origin.AskAsync(work, token, "grep", "-h", "-I", "-E", "-e", Hash, start, "--");
            objects.ExceptWith(known.Output.Split('\n').Where(line => line.StartsWith(HashMark, StringComparison.Ordinal)).Select(line => line[HashMark.Length..].TrimEnd()));
            return objects.Count > 0 ? Kept : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return Kept;
        }
    }

    [GeneratedRegex("\\Aversion https://git-lfs\\.github\\.com/spec/v1\\n(ext-[^\\n]*\\n)*oid sha256:(?<hash>[0-9a-f]{64})\\nsize (?<length>[0-9]{1,18})\\n?\\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Pointer();
}
