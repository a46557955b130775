using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Identity;

/// <summary>Writes identity, from the journal alone, and never over a live file that is ours: what the agent has written since is newer.</summary>
internal sealed class IdentityWriter(IdentityPaths paths, IdentitySources sources, SyncJournal journal, ReplacedFiles replaced, IReadOnlyDictionary<string, SealedFile> files)
{
    private const int MostLooks = 60;
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(25);
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly Dictionary<string, byte[]> _put = new(StringComparer.Ordinal);
    private readonly List<string> _kept = [];
    private readonly List<string> _foreign = [];

    /// <summary>Live files that were not ours when it began.</summary>
    public IReadOnlyList<string> Foreign => _foreign;

    /// <summary>Where what was overwritten is kept.</summary>
    public IReadOnlyList<string> Kept => _kept;

    /// <summary>Keeps every live file that is not ours, before anything is written.</summary>
    public void KeepForeign(SyncPlan plan, string root)
    {
        foreach (var planned in plan.Files.Where(planned => !Live(planned, root).IsOurs))
        {
            Keep(plan, root, planned.Path);
            _foreign.Add(planned.Path);
        }
    }

    /// <summary>Makes every identity file below a root ours; returns those that were not.</summary>
    public IReadOnlyList<string> Write(SyncPlan plan, string root)
    {
        var written = new List<string>();
        foreach (var planned in plan.Files)
        {
            if (!Live(planned, root).IsOurs)
            {
                var clean = Clean(planned);
                Keep(plan, root, planned.Path);
                Put(planned, root, clean);
                written.Add(planned.Path);
                CrashPoints.At(CrashPointName.IdentityWrittenOne);
            }

            File.Delete(OwnedFile.Beside(Path.Combine(root, planned.Path))); // A crash may have left one; its bytes are ours.
        }

        return written;
    }

    /// <summary>Puts the chosen bytes into a directory that nobody looks at yet, whatever identity is there: one that is gone back to has an old one.</summary>
    public void Overlay(SyncPlan plan, string root)
    {
        foreach (var planned in plan.Files)
        {
            if (!Live(planned, root).IsOurs
                || IdentityRules.Sha256(OutsideFile.Read(Path.Combine(root, planned.Path), IdentitySources.LargestFile, followLink: false) ?? []) != planned.Sha256)
            {
                var clean = Clean(planned);
                Keep(plan, root, planned.Path);
                Put(planned, root, clean);
                CrashPoints.At(CrashPointName.IdentityWrittenOne);
            }
        }
    }

    /// <summary>Brings what the agent has written in one directory into another that nobody looks at yet, where that is still what was put there.</summary>
    public void Follow(SyncPlan plan, string from, string to)
    {
        foreach (var planned in plan.Files.Where(planned => files[planned.Path].Rule != IdentityRule.Sealed))
        {
            var (older, newer) = (Live(planned, to), Live(planned, from));
            if (newer.IsOurs && (!older.IsOurs || older.Bytes.AsSpan().SequenceEqual(Carried(planned))) && !newer.Bytes.AsSpan().SequenceEqual(older.Bytes))
            {
                Put(planned, to, newer.Bytes!);
                _put[planned.Path] = newer.Bytes!;
            }
        }
    }

    /// <summary>The same after the turn, when both may be written: until three looks in a row find nothing new, for a second or two.</summary>
    public async Task FollowTurnedAsync(SyncPlan plan, string from, string to, bool certain, TimeProvider time, CancellationToken token)
    {
        var written = plan.Files.Where(planned => files[planned.Path].Rule != IdentityRule.Sealed).ToList();
        for (var (calm, look) = (0, 0); calm < 3 && look < MostLooks; look++)
        {
            var moved = written.Count(planned => CarryLate(plan, planned, from, to, certain));
            calm = moved == 0 ? calm + 1 : 0;
            await Task.Delay(BetweenLooks, time, token);
        }
    }

    private bool CarryLate(SyncPlan plan, PlannedFile planned, string from, string to, bool certain)
    {
        var (late, carried) = (Live(planned, from), Carried(planned));
        if (!late.IsOurs || late.Bytes.AsSpan().SequenceEqual(carried))
        {
            return false;
        }

        var current = Live(planned, to);
        var missing = files[planned.Path].Rule == IdentityRule.Mark && current.IsOurs ? LateWords.Missing(carried, late.Bytes, current.Bytes, certain || _put.ContainsKey(planned.Path)) : null;
        if (missing is not null)
        {
            AppendingFile.Append(Path.Combine(to, planned.Path), missing); // Others add there by now; a rename would lose what they add.
        }
        else if (!current.IsOurs || current.Bytes.AsSpan().SequenceEqual(carried))
        {
            Keep(plan, to, planned.Path);
            Put(planned, to, late.Bytes!);
        }
        else if (!current.Bytes.AsSpan().SequenceEqual(late.Bytes))
        {
            Keep(plan, from, planned.Path); // Both were changed; the new one stays, and the other is not lost.
        }

        _put[planned.Path] = late.Bytes!;
        return true;
    }

    private byte[] Carried(PlannedFile planned) => _put.TryGetValue(planned.Path, out var put) ? put : journal.Bytes(planned) ?? [];

    /// <summary>Every backup becomes what is live and ours now.</summary>
    public void RefreshBackups(SyncPlan plan, string root)
    {
        foreach (var planned in plan.Files)
        {
            var live = Live(planned, root);
            var bytes = live.Bytes ?? Clean(planned);
            var path = Path.Combine(paths.Backup, planned.Path);
            if (OutsideFile.Read(path, IdentitySources.LargestFile, followLink: false) is not { } there || !there.AsSpan().SequenceEqual(bytes))
            {
                Directories.Make(Path.GetDirectoryName(path)!);
                OwnedFile.Write(path, bytes, Private);
                CrashPoints.At(CrashPointName.IdentityBackedUpOne);
            }
        }
    }

    /// <summary>What is not ours below a root, or null.</summary>
    public string? Difference(SyncPlan plan, string root) => Difference(plan, root, IdentitySource.Live);

    /// <summary>Which backup is not ours although all were just written, or null.</summary>
    public string? BackupDifference(SyncPlan plan) => Difference(plan, paths.Backup, IdentitySource.Backup);

    private string? Difference(SyncPlan plan, string root, string place) => plan.Files
        .Select(planned => (planned.Path, Source: place == IdentitySource.Live ? Live(planned, root) : sources.Judge(files[planned.Path], root, place)))
        .Where(found => !found.Source.IsOurs).Select(found => $"{found.Path} ({place}): {found.Source.Detail}").FirstOrDefault();

    private void Keep(SyncPlan plan, string root, string path)
    {
        if (replaced.Keep(plan, root, path) is { } kept && !_kept.Contains(kept))
        {
            _kept.Add(kept);
        }
    }

    /// <exception cref="IdentityUnreadableException">Nobody can tell now whether it is ours.</exception>
    private IdentitySource Live(PlannedFile planned, string root) => sources.Judge(files[planned.Path], root, IdentitySource.Live) is var live && live.State != IdentitySource.Unreadable ? live
        : throw new IdentityUnreadableException($"{planned.Path}: {live.Detail}");

    // The journal is judged like any other source: a disk may have spoilt it since.
    private byte[] Clean(PlannedFile planned) =>
        journal.Bytes(planned) is { } bytes && sources.Judge(files[planned.Path], IdentitySource.Journal, bytes, null).IsOurs ? bytes
        : sources.Judge(files[planned.Path], paths.Backup, IdentitySource.Backup).Bytes ?? sources.Judge(files[planned.Path], paths.SealedCopies, IdentitySource.Sealed).Bytes
        ?? throw new ConfigurationException($"identity_contaminated: {planned.Path} has no source left that is this agent's", "put the file back by hand and seal it");

    private static void Put(PlannedFile planned, string root, byte[] bytes)
    {
        var path = Path.Combine(root, planned.Path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);

        // The log of another database would be read into ours.
        foreach (var companion in IdentityBook.Companions(path))
        {
            File.Delete(companion);
        }

        if (PathFacts.Of(path) is { Kind: PathKind.Directory })
        {
            Directory.Move(path, $"{path}.not-ours-{Guid.NewGuid():N}"); // A rename cannot replace a directory, and it is not ours to delete.
        }

        OwnedFile.Write(path, bytes, (UnixFileMode)planned.Mode, (planned.Owner, planned.Group));
    }
}
