using System.Text;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>Somebody else's repository as one of ours: its objects and refs under a configuration that we wrote.</summary>
/// <remarks>
/// A repository's own <c>config</c> can make even a look at its history run a program: signatures are shown by <c>gpg.program</c>,
/// an object that is missing is fetched by <c>remote.NAME.uploadpack</c>. Nothing of it is read here, nor are grafts and commit graphs,
/// which tell lies about history. The view is links and a copy of HEAD; it holds nothing that could be lost.
/// </remarks>
internal static class GitView
{
    /// <summary>Its name in a workspace's directory, beside the clone: what is in the clone is the agent's.</summary>
    public const string Name = "fleet-view";

    private static readonly System.Buffers.SearchValues<byte> Digits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF"u8);
    private const int LongestHead = 1_000;
    private const string Config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tcommitGraph = false\n";

    private static readonly (string Name, PathKind Kind, bool Needed)[] Linked =
        [("objects", PathKind.Directory, true), ("refs", PathKind.Directory, true), ("logs", PathKind.Directory, false), ("packed-refs", PathKind.File, false), ("shallow", PathKind.File, false)];

    private static readonly string[] Elsewhere = ["commondir", "reftable"];

    /// <summary>The view of a repository, made or brought up to date.</summary>
    /// <param name="repository">The <c>.git</c> directory.</param>
    /// <param name="view">Where the view is, or is to be; nobody else's.</param>
    /// <param name="mirrors">Where the repositories lie of which it may borrow objects; null allows none.</param>
    /// <exception cref="GitException">The repository is not one that can be looked at.</exception>
    public static string Of(string repository, string view, string? mirrors = null)
    {
        Require(repository, mirrors);
        var head = Head(repository)!;
        if (!IsWhole(repository, view))
        {
            Make(repository, view);
        }

        // Renamed, so that it is never half; not flushed, because the next look compares it.
        var file = Path.Combine(view, "HEAD");
        if (OutsideFile.Read(file, LongestHead + 1, followLink: false) is not { } known || !known.AsSpan().SequenceEqual(head))
        {
            NewFile.Write($"{file}.new", head);
            FileRename.Over($"{file}.new", file);
        }

        return view;
    }

    /// <summary>Refuses a repository of which something is not what git makes. In the mirrors that it borrows from such things are removed.</summary>
    /// <exception cref="GitException">One is.</exception>
    public static void Require(string repository, string? mirrors)
    {
        if (Complaint(repository, mirrors) is { } complaint)
        {
            throw new GitException(GitFaults.Damaged, complaint, "look at the directory; nothing in it is touched");
        }

        foreach (var mirror in GitFiles.MirrorsOf(repository, mirrors).Where(Directory.Exists))
        {
            MirrorFiles.Clear(mirror, isOurTurn: false);
        }
    }

    /// <summary>Why a repository cannot be looked at, or null. A link could lead anywhere, and what it leads to is not ours to read.</summary>
    /// <param name="repository">The <c>.git</c> directory.</param>
    /// <param name="mirrors">Where the repositories lie of which it may borrow objects; null allows none.</param>
    public static string? Complaint(string repository, string? mirrors = null)
    {
        if (PathFacts.Of(repository)?.Kind is var kind && kind != PathKind.Directory)
        {
            return kind == PathKind.Link ? "the clone was replaced by a link" : "the clone has lost its .git directory; only its files are left";
        }

        foreach (var (name, wanted, needed) in Linked)
        {
            var facts = PathFacts.Of(Path.Combine(repository, name));
            if (facts is null ? needed : facts.Value.Kind != wanted)
            {
                return facts is null ? $"the clone has lost its .git/{name}" : $"the clone's .git/{name} is not what git makes there";
            }
        }

        return Elsewhere.FirstOrDefault(name => PathFacts.Of(Path.Combine(repository, name)) is not null) is { } elsewhere ? $"the clone keeps its refs elsewhere (.git/{elsewhere})"
            : Head(repository) is null ? "the clone's .git/HEAD names neither a branch nor a commit"
            : GitFiles.Complaint(repository, mirrors);
    }

    // What stands there is exactly what we put there: a file more could be one that git listens to.
    private static bool IsWhole(string repository, string view) =>
        PathFacts.Of(view) is { Kind: PathKind.Directory }
        && Directory.EnumerateFileSystemEntries(view).Take(Linked.Length + 3).Select(Path.GetFileName).ToHashSet() is var names && names.Remove("HEAD") && names.Remove("config")
        && names.SetEquals(Linked.Select(one => one.Name))
        && Linked.All(one => new FileInfo(Path.Combine(view, one.Name)).LinkTarget == Path.Combine(repository, one.Name))
        && OutsideFile.Read(Path.Combine(view, "config"), Config.Length, followLink: false) is { } config && config.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(Config))
        && PathFacts.Of(Path.Combine(view, "HEAD")) is { Kind: PathKind.File };

    private static void Make(string repository, string view)
    {
        switch (PathFacts.Of(view)?.Kind)
        {
            case null:
                break;
            case PathKind.Directory:
                Directory.Delete(view, recursive: true); // Links, which are removed and not followed.
                break;
            default:
                File.Delete(view);
                break;
        }

        Directory.CreateDirectory(view);
        foreach (var (name, _, _) in Linked)
        {
            File.CreateSymbolicLink(Path.Combine(view, name), Path.Combine(repository, name)); // Also to what is not there yet.
        }

        NewFile.Write(Path.Combine(view, "config"), Encoding.UTF8.GetBytes(Config));
    }

    // Bytes: a branch may have a name that is no text.
    private static byte[]? Head(string repository)
    {
        if (OutsideFile.Read(Path.Combine(repository, "HEAD"), LongestHead, followLink: false) is not { } bytes)
        {
            return null;
        }

        var head = bytes.AsSpan().TrimEnd(" \r\n\t"u8);
        var isBranch = head.StartsWith("ref: refs/"u8) && head.Length > "ref: refs/".Length && !head.ContainsAnyInRange((byte)0, (byte)31) && !head.Contains((byte)127);
        return isBranch || (head.Length == 40 && !head.ContainsAnyExcept(Digits)) ? [.. head, (byte)'\n'] : null;
    }
}
