using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Puts a fresh mirror in the place of a damaged one; the old objects stay readable for the workspaces that borrow them.</summary>
/// <remarks>
/// A workspace names the mirror's path, so after the exchange it borrows from the fresh mirror; that one names the old
/// mirror as its alternate, so nothing that was readable before is lost. The fresh mirror has that line, and the old one's
/// future name, before the exchange: a crash at any moment leaves a mirror at the path, and beside it at most a directory
/// that nothing names.
/// </remarks>
internal static class MirrorSwap
{
    /// <summary>Most damaged copies that are kept of one mirror; with more, the disk is at fault, and another would only fill it.</summary>
    public const int MostReplaced = 10;

    private const string Mark = ClearPlace.Mark; // A mirror stays where it is: what sweeps such names does not look here.
    private const int LongestLenders = 100_000;

    /// <summary>The damaged copies of a mirror.</summary>
    public static string[] ReplacedOf(string mirror) =>
        Directory.GetDirectories(Path.GetDirectoryName(mirror)!, $"{Path.GetFileName(mirror)}{Mark}*");

    /// <summary>Puts <paramref name="fresh"/> at the mirror's path.</summary>
    public static void Put(string fresh, string mirror)
    {
        var earlier = ReplacedOf(mirror).Select(ObjectsOf).ToList();
        if (!Directory.Exists(mirror))
        {
            File.Delete(mirror); // A file or a dangling link there is no mirror; nothing can borrow from it.
            if (earlier.Count > 0)
            {
                WriteLenders(fresh, earlier);
            }

            Directory.Move(fresh, mirror);
            return;
        }

        var old = $"{mirror}{Mark}{Guid.NewGuid():N}";
        WriteLenders(fresh, [ObjectsOf(old), .. earlier]);
        Directory.Move(fresh, old);
        if (!PathExchange.TryExchange(old, mirror))
        {
            // A file system that cannot exchange: the path is missing for a moment, in which a clone from it fails.
            var aside = $"{mirror}{Mark}{Guid.NewGuid():N}";
            Directory.Move(mirror, aside);
            Directory.Move(old, mirror);
            Directory.Move(aside, old);
        }

        if (File.Exists(LendersOf(old)))
        {
            File.Delete(LendersOf(old)); // The fresh one names them all; git follows such lines only five deep.
        }
    }

    /// <summary>Takes out of the mirror what lends to it and is gone, is about to be removed, or is no copy of it.</summary>
    /// <param name="mirror">The mirror.</param>
    /// <param name="removed">A damaged copy that is about to be removed; null for none.</param>
    public static void Forget(string mirror, string? removed = null)
    {
        var lenders = OutsideFile.Read(LendersOf(mirror), LongestLenders, followLink: false) is { } bytes
            ? OutsideText.Decode(bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : [];
        var copies = ReplacedOf(mirror).Where(copy => copy != removed).Select(ObjectsOf).ToHashSet();
        var left = lenders.Where(lender => copies.Contains(lender) && Directory.Exists(lender)).ToArray();
        if (left.Length < lenders.Length)
        {
            WriteLenders(mirror, left);
        }
    }

    /// <summary>The mirror that a damaged copy was replaced by.</summary>
    public static string MirrorOf(string replaced) => replaced[..replaced.LastIndexOf(Mark, StringComparison.Ordinal)];

    private static void WriteLenders(string mirror, IReadOnlyCollection<string> lenders)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(LendersOf(mirror))!);
        AtomicFile.Write(LendersOf(mirror), string.Concat(lenders.Select(lender => $"{lender}\n")));
    }

    private static string ObjectsOf(string mirror) => Path.Combine(mirror, "objects");

    private static string LendersOf(string mirror) => Path.Combine(mirror, "objects", "info", "alternates");
}
