using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Deadman;

/// <summary>One file of a configuration as it lies there: text, owner, mode.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Bytes">What it holds; null where that cannot be had: a pipe, a directory, a link to nowhere.</param>
/// <param name="Facts">Of the file that a link leads to.</param>
internal sealed record KeptFile(string Path, byte[]? Bytes, PathFacts? Facts)
{
    /// <summary>The files of a configuration by name; the main one has none, because it may be called differently in its two places.</summary>
    public static IReadOnlyDictionary<string, KeptFile> In(string main)
    {
        var files = ConfigFiles.More(main).ToDictionary(file => System.IO.Path.GetFileName(file), Of);
        if (PathFacts.Of(main) is not null)
        {
            files[""] = Of(main);
        }

        return files;
    }

    public bool IsLike(KeptFile other) => Bytes is not null && other.Bytes is not null && Bytes.AsSpan().SequenceEqual(other.Bytes)
        && Facts is { } mine && other.Facts is { } theirs && (mine.Mode, mine.Owner, mine.Group) == (theirs.Mode, theirs.Owner, theirs.Group);

    public void CopyTo(string path) => OwnedFile.Write(path, Bytes, Facts!.Value.Mode, (Facts.Value.Owner, Facts.Value.Group));

    private static KeptFile Of(string path)
    {
        var facts = RealPath.Of(path) is { } real ? PathFacts.Of(real) : null;
        return new KeptFile(path, facts is { Kind: PathKind.File } ? OutsideFile.Read(path, ConfigFiles.LargestFile, followLink: true) : null, facts);
    }
}
