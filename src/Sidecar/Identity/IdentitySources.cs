using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Identity;

/// <summary>One place that an identity file may come from, read whole and judged.</summary>
/// <param name="Place"><c>live</c>, <c>backup</c>, <c>sealed</c> or <c>journal</c>.</param>
/// <param name="State"><c>ours</c>, <c>foreign</c>, <c>missing</c>, or <c>unreadable</c>: nobody can tell now.</param>
/// <param name="Detail">Why it is not ours; empty where it is.</param>
/// <param name="Bytes">Its content, only where it is ours.</param>
/// <param name="Facts">Mode and owner, where there is something.</param>
internal sealed record IdentitySource(string Place, string State, string Detail, byte[]? Bytes, PathFacts? Facts)
{
    public const string Live = "live", Backup = "backup", Sealed = "sealed", Journal = "journal";
    public const string Ours = "ours", Foreign = "foreign", Missing = "missing", Unreadable = "unreadable";

    public bool IsOurs => State == Ours;
}

/// <summary>One identity file with all its sources. The first that is ours is what a sync writes; there may be none.</summary>
internal sealed record JudgedFile(SealedFile File, IdentitySource Live, IdentitySource Backup, IdentitySource Sealed)
{
    public IEnumerable<IdentitySource> Sources => [Live, Backup, Sealed];

    public IdentitySource? Chosen => Sources.FirstOrDefault(source => source.IsOurs);
}

/// <summary>Reads every source into memory and judges it, before anything is written anywhere.</summary>
internal sealed class IdentitySources(IdentityPaths paths, LiveDatabase database)
{
    /// <summary>Most bytes of one identity file. More is refused: it is held in memory, and written out several times.</summary>
    public const int LargestFile = 16 * 1024 * 1024;

    /// <summary>Most bytes of all of them in the tree together, for the same reason: an agent may write as many as it likes.</summary>
    public const long MostBytes = 64 * 1024 * 1024;

    /// <summary>Every source of each file, judged.</summary>
    /// <param name="files">The files.</param>
    /// <param name="tree">Where the live ones are.</param>
    /// <param name="isToBeWritten">Whether the bytes of those that are ours are kept; else only what they are.</param>
    /// <exception cref="SidecarException">They are too large together.</exception>
    public IReadOnlyList<JudgedFile> Read(IReadOnlyCollection<SealedFile> files, string tree, bool isToBeWritten = true)
    {
        RefuseTooMuch([.. files.Select(file => file.Path)], tree);
        var (judged, held) = (new List<JudgedFile>(files.Count), 0L);
        foreach (var file in files)
        {
            var found = new JudgedFile(file, Judge(file, tree, IdentitySource.Live), Judge(file, paths.Backup, IdentitySource.Backup), Judge(file, paths.SealedCopies, IdentitySource.Sealed));
            found = isToBeWritten ? found : new JudgedFile(file, found.Live with { Bytes = null }, found.Backup with { Bytes = null }, found.Sealed with { Bytes = null });

            // The lengths may have changed since they were looked at; a copy is as long as a file was once.
            held += found.Sources.Sum(source => source.Bytes?.Length ?? 0L);
            judged.Add(held <= 3 * MostBytes ? found : throw new SidecarException(
                $"identity_unreadable: the identity files in {tree} and their copies in {paths.Home} have more than {held} bytes together; {3 * MostBytes} bytes are read at most, and nothing is written over them",
                "look at what was added where a pattern of identity.files fits; seal again when it is moved away"));
        }

        return judged;
    }

    /// <summary>Before the first of them is read.</summary>
    /// <exception cref="SidecarException">They are too large together.</exception>
    public static void RefuseTooMuch(IReadOnlyCollection<string> files, string tree)
    {
        var sizes = files.Select(file => (Path: file, Length: LengthOf(Path.Combine(tree, file)))).OrderByDescending(file => file.Length).ToList();
        if (sizes.Sum(file => file.Length) > MostBytes)
        {
            throw new SidecarException($"identity_unreadable: the {sizes.Count} identity files in {tree} have more than {MostBytes} bytes together, the largest is {sizes[0].Path}; nothing is written over them",
                "look at what was added where a pattern of identity.files fits, and move away what is no identity");
        }
    }

    // A file may say that it has any length.
    private static long LengthOf(string path) => PathFacts.Of(path) is { Kind: PathKind.File } facts ? Math.Min(facts.Length, MostBytes + 1) : 0;

    /// <summary>The file of that path below a root.</summary>
    public IdentitySource Judge(SealedFile file, string root, string place)
    {
        var path = Path.Combine(root, file.Path);
        if (IdentityPattern.Parents(file.Path).FirstOrDefault(parent => PathFacts.Of(Path.Combine(root, parent)) is { Kind: not PathKind.Directory }) is { } blocked)
        {
            // What would be written below it would land wherever it leads.
            return Unreadable(place, $"{blocked} is {(PathFacts.Of(Path.Combine(root, blocked)) is { Kind: PathKind.Link } ? "a symbolic link, not a directory" : "not a directory")}", null);
        }

        var facts = PathFacts.Of(path);
        try
        {
            return facts switch
            {
                null when PathFacts.Fault(path) is { } hidden => Unreadable(place, hidden, null),
                null => new IdentitySource(place, IdentitySource.Missing, "it is not there", null, null),
                { Kind: PathKind.Link } => Foreign(place, "it is a symbolic link", facts),
                { Kind: not PathKind.File } => Foreign(place, "it is not a file", facts),
                { Length: > LargestFile } => Unreadable(place, $"it has {facts.Value.Length} bytes, more than {LargestFile}", facts),
                _ => Content(file, path, place, facts.Value.Length) is { } bytes ? Judge(file, place, bytes, facts) : Unreadable(place, Why(path), facts),
            };
        }
        catch (InvalidDataException fault)
        {
            return Foreign(place, fault.Message, facts);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return Unreadable(place, fault.Message, facts);
        }
    }

    /// <summary>Bytes that are already in memory.</summary>
    public IdentitySource Judge(SealedFile file, string place, byte[] bytes, PathFacts? facts)
    {
        var complaint = place == IdentitySource.Sealed ? IdentityRules.CopyComplaint(file, bytes) : IdentityRules.Complaint(file, bytes);
        complaint ??= file.Rule == IdentityRule.Sqlite ? DatabaseComplaint(file, bytes) : null;
        return complaint is null ? new IdentitySource(place, IdentitySource.Ours, "", bytes, facts) : Foreign(place, complaint, facts);
    }

    private static IdentitySource Foreign(string place, string detail, PathFacts? facts) => new(place, IdentitySource.Foreign, detail, null, facts);

    private static IdentitySource Unreadable(string place, string detail, PathFacts? facts) => new(place, IdentitySource.Unreadable, detail, null, facts);

    private static string Why(string path) => OutsideFile.Complaint(path)
        ?? (PathFacts.Of(path) is { Length: > LargestFile } ? $"it has more than {LargestFile} bytes" : "it cannot be read");

    // What a live database has committed may still lie in its log.
    private byte[]? Content(SealedFile file, string path, string place, long length) =>
        file.Rule != IdentityRule.Sqlite || place != IdentitySource.Live || length == 0
            ? OutsideFile.Read(path, (int)Math.Min(LargestFile, length + 65_536), followLink: false)
            : database.Look(copy =>
            {
                database.Snapshot(path, copy);
                return OutsideFile.Read(copy, LargestFile, followLink: false);
            });

    private string? DatabaseComplaint(SealedFile file, byte[] bytes) => database.Look(copy =>
    {
        NewFile.Write(copy, bytes);
        return SqliteFile.Complaint(copy, file.Table ?? "", file.MinimumRows);
    });
}

/// <summary>A live file could not be judged now. Nobody may take that for foreign: nothing is written over it, and a journal stays.</summary>
internal sealed class IdentityUnreadableException(string what)
    : SidecarException($"identity_unreadable: {what}; nothing is written over it", "let whoever has it locked end, free disk space, or give the service user the right to read it; then try again");
