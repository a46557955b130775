using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>What a sync would do. Without bytes there is nothing to do.</summary>
internal sealed record SyncDraft(SyncReport Report, SyncPlan? Plan, IReadOnlyDictionary<string, SealedFile> Files, IReadOnlyDictionary<string, byte[]>? Bytes);

/// <summary>Finds out everything that a sync needs to know and refuses what must not be done, before anything outside our own directory is touched.</summary>
internal sealed class SyncPlanner(
    SidecarConfig config, IdentityPaths paths, IdentityBook book, IdentitySources sources, SyncRecords records, UpstreamRepository repository, ContactsBook contacts, TimeProvider time)
{
    private const long Mebibyte = 1024 * 1024, Little = Mebibyte, FewInodes = 100;

    public async Task<SyncDraft> PlanAsync(SyncRequest request, ITreeMethod method, CancellationToken token)
    {
        var manifest = book.Manifest();
        var record = records.Read();
        var back = request.Rollback ? record.Previous is { } previous && previous.Method == method.Name ? previous
            : throw new SidecarException("there is no version before to go back to", "sync first; each sync keeps the version before it") : null;
        if (back is { Directory: { } gone } && !Directory.Exists(gone))
        {
            throw new SidecarException($"the directory of the version before, {gone}, is gone", "sync to the commit that you want with --commit");
        }

        await repository.EnsureAsync(token);
        var commit = back is null ? await repository.FetchAsync(request.Commit, token) : back.Commit;
        CrashPoints.At(CrashPointName.SyncFetched);
        if (request.ByTimer && commit == record.Avoid)
        {
            return Nothing("held", commit, null, method, []);
        }

        var judged = sources.Read(book.Files(manifest, paths.Tree), paths.Tree);
        CrashPoints.At(CrashPointName.SyncRead);
        RefuseUnreadable(judged);
        RefuseContaminated(judged);
        var untouchable = book.Untouchable(manifest);
        var from = await FromAsync(record, method, untouchable, token);
        if (back is null && !request.AllowRewind && from.Commit is { } current && current != commit && !await repository.IsAncestorAsync(current, commit!, token))
        {
            throw new SidecarException($"upstream_rewound: {commit} does not come after {current}, which the tree is at", "if the upstream was rewritten on purpose, or you want an older commit, say --allow-rewind");
        }

        var to = await repository.WithoutAsync(back?.Tree ?? commit!, untouchable, token);
        if (await repository.DamageAsync(to, token) is { } damage)
        {
            throw new GitException(GitFaults.OriginDamaged, $"the tree of {commit ?? back?.Tree} is damaged: {damage}", "run 'git fsck' in the upstream repository, and commit those files anew");
        }

        var collisions = back is null ? await CollisionsAsync(commit!, to, judged, token) : [];
        if (method.Name == SyncMethod.InPlace && await method.ObstacleAsync(from.Tree, to, token) is { } obstacle)
        {
            throw new SidecarException($"something_in_the_way: {obstacle}", "move it away; the tree was not touched");
        }

        RefuseUnwritable(method);
        var found = await method.FoundAsync(from, to, untouchable, token);

        // A file that git does not know is nothing to sync for; anything else that differs is.
        var settled = back is null && from.Tree == to && (await repository.ChangedAsync(found, to, "AMT", token)).Count == 0 && judged.All(file => file.Live.IsOurs && file.Backup.IsOurs && file.Backup.Bytes.AsSpan().SequenceEqual(file.Live.Bytes));
        if (settled && record.Now?.Commit == commit)
        {
            return Nothing("current", commit, from.Commit, method, collisions);
        }

        if (back is null)
        {
            await RequireRoomAsync(method, from.Tree, to, token);
        }

        var now = time.GetUtcNow();
        var rescue = found == from.Tree || found == to || request.CheckOnly ? null
            : await repository.KeepAsync(found, from.Commit, $"{now:yyyyMMdd'T'HHmmssfff'Z'}", $"Uncommitted work in {paths.Tree} before a sync", token);
        CrashPoints.At(CrashPointName.SyncRescued);
        var plan = new SyncPlan
        {
            Kind = back is null ? SyncPlan.Forward : SyncPlan.Rollback, Method = method.Name, StartedAtUnixMs = now.ToUnixTimeMilliseconds(),
            Commit = commit, FromCommit = from.Commit, FromTree = from.Tree, ToTree = to, BeforeTree = found, RescueRef = rescue, Collisions = collisions,
            Directory = method is SwapTree ? back?.Directory ?? OldTrees.NameFor(paths, commit!, now) : null,
            FromDirectory = method is SwapTree ? method.Directory : null,
            Files = [.. judged.Select(Planned)],
        };
        var report = new SyncReport
        {
            Outcome = request.CheckOnly ? "would_sync" : back is null ? "synced" : "rolled_back", Commit = commit, FromCommit = from.Commit, Method = method.Name,
            ChangedFiles = (await repository.ChangedAsync(found, to, "ACDMT", token)).Count, Collisions = collisions, RescueRef = rescue,
            Restored = [.. judged.Where(file => !file.Live.IsOurs).Select(file => $"{GitNames.Escape(file.File.Path)} (from {file.Chosen!.Place})")],
            Notes = request.CheckOnly && found != from.Tree && found != to ? ["uncommitted changes in the tree would be rescued first"] : [],
        };
        return new SyncDraft(report, plan, judged.ToDictionary(file => file.File.Path, file => file.File, StringComparer.Ordinal),
            judged.ToDictionary(file => file.File.Path, file => file.Chosen!.Bytes!, StringComparer.Ordinal));
    }

    // A version that does not fit would fill the disk before it is taken back, and that takes room as well.
    private async Task RequireRoomAsync(ITreeMethod method, string from, string to, CancellationToken token)
    {
        var need = await repository.SizeAsync(to, token);
        if (method.Name == SyncMethod.InPlace)
        {
            var before = await repository.SizeAsync(from, token);
            need = (need.Bytes - before.Bytes, need.Inodes - before.Inodes);
        }

        var (space, limits) = (DiskSpace.At(method.Name == SyncMethod.InPlace ? method.Directory : paths.Home), config.SelfTest);
        if ((need.Bytes > Little && space.Bytes - need.Bytes < limits.DiskFloorBytes / 2) || (need.Inodes > FewInodes && space.Inodes - need.Inodes < limits.DiskFloorInodes / 2))
        {
            throw new GitException(GitFaults.DiskFull, $"the new version needs {need.Bytes / Mebibyte} MiB and {need.Inodes} inodes more, and {space.Bytes / Mebibyte} MiB{(space.Inodes is { } inodes ? $" and {inodes} inodes" : "")} are free; the tree was not touched",
                "free space there; half of selfTest.diskFloorBytes and diskFloorInodes is never used for a version");
        }
    }

    private static SyncDraft Nothing(string outcome, string? commit, string? from, ITreeMethod method, IReadOnlyList<string> collisions) =>
        new(new SyncReport { Outcome = outcome, Commit = commit, FromCommit = from, Method = method.Name, Collisions = collisions }, null, new Dictionary<string, SealedFile>(), null);

    private static PlannedFile Planned(JudgedFile file)
    {
        // The live file's own mode and owner where it is ours; else as sealed.
        var facts = file.Live is { IsOurs: true, Facts: { } seen } ? seen : new PathFacts(PathKind.File, file.File.Owner, file.File.Group, (UnixFileMode)file.File.Mode, 0);
        return new PlannedFile
        {
            Path = file.File.Path, Sha256 = IdentityRules.Sha256(file.Chosen!.Bytes), From = file.Chosen.Place, Mode = (int)facts.Mode, Owner = facts.Owner, Group = facts.Group,
        };
    }

    private static void RefuseUnreadable(IReadOnlyList<JudgedFile> judged)
    {
        var hidden = judged.SelectMany(file => file.Sources.Where(source => source.State == IdentitySource.Unreadable && (source == file.Live || file.Chosen is null))
            .Select(source => $"{file.File.Path}{(source == file.Live ? "" : $" ({source.Place})")}: {source.Detail}")).ToList();
        if (hidden.Count > 0)
        {
            throw new IdentityUnreadableException(GitNames.Escape(string.Join("; ", hidden)));
        }
    }

    private void RefuseContaminated(IReadOnlyList<JudgedFile> judged)
    {
        if (judged.Where(file => file.Chosen is null).ToList() is { Count: > 0 } lost)
        {
            var detail = string.Join("; ", lost.Select(file => $"{file.File.Path} ({string.Join(", ", file.Sources.Select(source => $"{source.Place}: {source.Detail}"))})"));
            throw new ConfigurationException($"identity_contaminated: no source of {GitNames.Escape(detail)} is {config.Agent.Id}'s; the tree was not touched",
                "put this agent's own file into the tree by hand, then run 'fleet-sidecar identity seal'");
        }
    }

    // What is unknown counts as empty: then nothing is removed, and everything that would be overwritten is rescued.
    private async Task<SyncState> FromAsync(SyncRecord record, ITreeMethod method, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        var directory = method.Directory;
        if (record.Now is { } now && now.Method == method.Name && (now.Directory is null || now.Directory == directory) && await repository.HasAsync(now.Tree, token))
        {
            return new SyncState(now.Commit is { } known && await repository.HasAsync(known, token) ? known : null, await ComparableAsync(now.Tree, untouchable, token));
        }

        if (await repository.CommitOfAsync(directory, token) is { } commit)
        {
            return new SyncState(commit, await ComparableAsync(commit, untouchable, token));
        }

        return new SyncState(null, Git.EmptyTree);
    }

    // A damaged one may have been taken by an earlier version of this program.
    private async Task<string> ComparableAsync(string version, IReadOnlyList<string> untouchable, CancellationToken token) =>
        await repository.WithoutAsync(version, untouchable, token) is var tree && await repository.DamageAsync(tree, token) is null ? tree : Git.EmptyTree;

    private async Task<IReadOnlyList<string>> CollisionsAsync(string commit, string to, IReadOnlyList<JudgedFile> judged, CancellationToken token)
    {
        var plain = judged.Select(file => file.File.Path).Concat(config.Identity.Files.Select(file => file.Path).Where(path => !IdentityPattern.IsPattern(path))).Distinct(StringComparer.Ordinal).ToList();
        var parents = plain.Concat(config.Identity.Files.Select(file => file.Path)).SelectMany(IdentityPattern.Parents).Distinct(StringComparer.Ordinal).ToList();
        var blocked = (await repository.LookAsync(commit, parents, token)).Where(entry => entry.Type != "tree")
            .Concat((await repository.LookAsync(commit, plain, token)).Where(entry => entry.Type != "blob")).Select(entry => entry.Path).ToList();
        if (blocked.Count > 0)
        {
            throw new SidecarException($"identity_collision: the upstream has something else than a directory, or than a file, at {string.Join(", ", blocked)}, where this agent's identity is; the tree was not touched",
                "rename it in the upstream, or move the identity files");
        }

        // Everything that was left out of the version. The address book is expected there: it is what ours is merged from.
        var carried = (await repository.ChangedAsync(to, $"{commit}^{{tree}}", "ACDMT", token)).Select(GitNames.Show).Where(path => path != contacts.From).ToList();
        return carried.Count == 0 || config.Identity.OnCollision == CollisionPolicy.Keep ? carried
            : throw new SidecarException($"identity_collision: the upstream carries {string.Join(", ", carried)} of its own, and identity.onCollision is refuse; the tree was not touched",
                "remove it from the upstream, or set identity.onCollision to keep: ours stays either way");
    }

    // Found out before anything begins rather than in the middle. No file is made for it: an agent that writes there could put a link in its place.
    private void RefuseUnwritable(ITreeMethod method)
    {
        var directory = method is SwapTree ? Path.GetDirectoryName(paths.Tree)! : paths.Tree;
        if (FileAccessCheck.Obstacle(directory) is { } obstacle)
        {
            throw new SidecarException($"tree_not_writable: {directory}: {obstacle}", "let the service user write there; nothing was touched");
        }

        try
        {
            if (method is SwapTree)
            {
                Directory.CreateDirectory(paths.Trees);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new SidecarException($"tree_not_writable: {directory}: {fault.Message}", "let the service user write there; nothing was touched", fault);
        }
    }
}
