using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>What is asked of a sync.</summary>
internal sealed record SyncRequest
{
    /// <summary>A commit of the upstream's branch, instead of the configured one or the head.</summary>
    public string? Commit { get; init; }

    /// <summary>Say what would happen; touch nothing outside our own directory.</summary>
    public bool CheckOnly { get; init; }

    /// <summary>Back to the version before.</summary>
    public bool Rollback { get; init; }

    /// <summary>Take a version that does not come after the one in force.</summary>
    public bool AllowRewind { get; init; }

    /// <summary>Nobody asked: a version that was taken back is left alone.</summary>
    public bool ByTimer { get; init; }
}

/// <summary>
/// Brings the fleet's code tree to an upstream commit while this agent's identity stays exactly this agent's. The one code path of the
/// command line, the daemon's timer, rollback and recovery.
/// </summary>
/// <remarks>
/// The order is what it is about: finish what a crash left; fetch; read and judge every source of every identity file; write the plan
/// and the chosen bytes durably; only then touch the tree; write identity and backups; read everything back; record; drop the plan.
/// May get wrong: another program that writes identity files of rule <c>sealed</c> in between is not held off, only found at the read-back.
/// </remarks>
internal sealed class IdentitySync
{
    private readonly SidecarConfig _config;
    private readonly ToolRunner _tools;
    private readonly TimeProvider _time;
    private readonly IdentityBook _book;
    private readonly UpstreamRepository _repository;
    private readonly SyncPlanner _planner;
    private readonly SyncExecution _execution;
    private readonly ReplacedFiles _replaced;
    private readonly OldTrees _old;

    public IdentitySync(SidecarConfig config, Git git, ToolRunner tools, TimeProvider time)
    {
        (_config, _tools, _time) = (config, tools, time);
        Paths = new IdentityPaths(config);
        var database = new LiveDatabase(Paths, tools, time);
        Sources = new IdentitySources(Paths, database);
        Journal = new SyncJournal(Paths);
        Records = new SyncRecords(Paths, time);
        _book = new IdentityBook(config, Paths);
        _repository = new UpstreamRepository(config, Paths, git, tools, time);
        Contacts = new ContactsBook(config, Paths, _repository, database);
        _old = new OldTrees(Paths, _repository, tools, time);
        _planner = new SyncPlanner(config, Paths, _book, Sources, Records, _repository, Contacts, time);
        _replaced = new ReplacedFiles(Paths);
        _execution = new SyncExecution(Paths, Sources, Journal, _replaced, Records, Contacts, new ServiceRestart(config, Paths, tools), time);
    }

    public IdentityPaths Paths { get; }

    public IdentitySources Sources { get; }

    public SyncJournal Journal { get; }

    public SyncRecords Records { get; }

    public ContactsBook Contacts { get; }

    /// <summary>Every source of every file, judged now; no lock, nothing is changed.</summary>
    public IdentityReport Check()
    {
        IdentityLock.RequireOwner(Paths);
        Paths.RequireKinds();
        _ = TreeMethods.Choose(_config.Identity, Paths.Tree);
        var files = _book.Files(_book.Manifest(), Paths.Tree);
        return IdentityReport.Of(_config.Agent.Id, Paths.Tree, Journal.Exists, Sources.Read(files, Paths.Tree, isToBeWritten: false));
    }

    /// <summary>Finishes what a crash left, where there is something; false where there is not.</summary>
    public async Task<bool> RecoverAsync(CancellationToken token)
    {
        using var turn = IdentityLock.Take(Paths);
        MoveAsideOddCompanions();
        return await FinishAsync(undo: false, token);
    }

    /// <summary>Seals what is in the tree now, in the operator's name.</summary>
    public IdentityReport Seal()
    {
        using var turn = IdentityLock.Take(Paths);
        if (Journal.Exists)
        {
            throw new SidecarException("a sync was cut short", "let 'fleet-sidecar sync' finish it first, then look at the files and seal");
        }

        new IdentitySeal(_config, Paths, _book, Sources, _time).Seal();
        return Check();
    }

    public async Task<SyncReport> RunAsync(SyncRequest request, CancellationToken token)
    {
        using var turn = IdentityLock.Take(Paths);
        if (Journal.Exists && request.CheckOnly)
        {
            throw new SidecarException("a sync was cut short", "'fleet-sidecar sync' finishes it first, 'fleet-sidecar sync --rollback' undoes it");
        }

        try
        {
            if (!request.CheckOnly)
            {
                MoveAsideOddCompanions();
            }

            if (await FinishAsync(request.Rollback, token) && request.Rollback)
            {
                return new SyncReport { Outcome = "rolled_back", Method = TreeMethods.Choose(_config.Identity, Paths.Tree), Commit = Records.Read().Now?.Commit, Recovered = true };
            }

            var draft = await _planner.PlanAsync(request, MethodOf(TreeMethods.Choose(_config.Identity, Paths.Tree)), token);
            return draft.Bytes is null || request.CheckOnly ? draft.Report : await CarryOutAsync(draft, token);
        }
        catch (SidecarException fault) when (!request.CheckOnly)
        {
            TryRecord(fault);
            throw;
        }
    }

    private async Task<SyncReport> CarryOutAsync(SyncDraft draft, CancellationToken token)
    {
        var (plan, method) = (draft.Plan!, MethodOf(draft.Plan!.Method));
        _execution.KeepForeign(plan, draft.Files);
        Journal.Write(plan, draft.Bytes!);
        CrashPoints.At(CrashPointName.SyncJournaled);
        try
        {
            var notes = await _execution.RunAsync(plan, method, draft.Files, token);
            return draft.Report with { Notes = [.. draft.Report.Notes, .. notes, .. await PruneAsync(method, token)] };
        }
        catch (IdentityUnreadableException)
        {
            throw; // To go back would write there too. The journal stays, and the next sync or the daemon goes on with it.
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            await UndoAsync(fault, plan, method, draft.Files, token);
            throw fault as SidecarException ?? new SidecarException($"sync_failed: {fault.Message}; the tree is as it was", "mend what the message names, then sync again", fault);
        }
    }

    // An undo that does not work either leaves the journal: the next start or sync goes on with it.
    private async Task UndoAsync(Exception why, SyncPlan plan, ITreeMethod method, IReadOnlyDictionary<string, SealedFile> files, CancellationToken token)
    {
        SidecarException? twice = null;
        try
        {
            var back = plan.Kind == SyncPlan.Undo ? plan : plan.Reversed();
            Journal.Replace(back);
            var notes = await _execution.RunAsync(back, method, files, token);
            await PruneAsync(method, token);
            if (why is RestartFailedException failed && notes.Where(note => note.StartsWith("restart_failed", StringComparison.Ordinal)).ToList() is { Count: > 0 } again)
            {
                twice = failed.Twice(again);
            }
        }
        catch (Exception worse) when (worse is SidecarException or IOException or UnauthorizedAccessException)
        {
            throw new SidecarException($"{why.Message}; and it could not be taken back yet: {worse.Message}", $"mend what the message names; the next sync or start of the daemon goes on with it. Where it cannot be mended, move {Paths.Journal} away and sync again: nothing is written without a clean identity", why);
        }

        if (twice is not null)
        {
            throw twice;
        }
    }

    private async Task<bool> FinishAsync(bool undo, CancellationToken token)
    {
        await Leftovers.EndAsync(Paths, _time, token);
        Journal.Sweep();
        await TreeRemoval.RemoveAsync(_tools, Paths.Work, token); // A version's names need not be text, and a sync may have been killed with some in there.
        Directories.Make(Paths.Work);
        foreach (var stray in Directory.GetFiles(Paths.Home, "record.json.*.tmp"))
        {
            File.Delete(stray);
        }

        if (Journal.Read() is not { } plan)
        {
            return false;
        }

        var method = MethodOf(plan.Method);
        var manifest = _book.Manifest();
        var files = _book.Files(manifest, plan.Files.Select(file => file.Path)).ToDictionary(file => file.Path, StringComparer.Ordinal);
        var known = plan with { Files = [.. plan.Files.Where(file => files.ContainsKey(file.Path))] };
        await _repository.EnsureAsync(token);
        if (undo && plan.Kind != SyncPlan.Undo)
        {
            known = known.Reversed();
            Journal.Replace(known);
        }

        try
        {
            await _execution.RunAsync(known, method, files, token);
        }
        catch (SidecarException fault) when (known.Kind != SyncPlan.Undo && fault is RestartFailedException or GitException { Code: GitFaults.DiskFull })
        {
            await UndoAsync(fault, known, method, files, token);
            throw;
        }

        Records.Add((SyncEvent.Finished, $"a {plan.Kind} that had been cut short was {(known.Kind == SyncPlan.Undo ? "undone" : "finished")}"));
        await PruneAsync(method, token);
        return true;
    }

    // A pipe or a directory beside a database keeps it closed, and holds nothing that the engine has written. Whatever goes wrong here
    // stops no recovery: the database is judged next, and says what is in its way.
    private void MoveAsideOddCompanions()
    {
        var patterns = _config.Identity.Files.Where(file => file.Rule == IdentityRule.Sqlite).ToList();
        foreach (var database in patterns.SelectMany(options => IdentityBook.Reachable(Paths.Tree, options.Path)).Append(_config.Identity.Contacts?.Path).OfType<string>().Distinct().ToList())
        {
            try
            {
                MoveAsideOddCompanions(database);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                TryRecord(new SidecarException($"sync_failed: what is no file beside {database} could not be taken away: {fault.Message}", "remove it by hand"));
            }
        }
    }

    private void MoveAsideOddCompanions(string database)
    {
        using var directory = InsideDirectory.Open(Paths.Tree + "/.", database.Split('/').AsSpan()[..^1]);
        foreach (var name in IdentityBook.Companions(Path.GetFileName(database)).Where(name => directory is not null && PathFacts.Of(directory[name]) is { Kind: not PathKind.File }))
        {
            var aside = $"{name}.not-ours-{Guid.NewGuid():N}";
            var isDirectory = PathFacts.Of(directory![name]) is { Kind: PathKind.Directory };
            if (isDirectory)
            {
                FileRename.Over(directory[name], directory[aside]);
            }
            else
            {
                File.Delete(directory[name]);
            }

            Records.Add((SyncEvent.Restored, $"{name} beside {database} was no file{(isDirectory ? $" and is {aside} now" : " and was removed: a pipe or a link has no content")}"));
        }
    }

    private ITreeMethod MethodOf(string name) => name == SyncMethod.Swap ? new SwapTree(_config, Paths, _repository, _old, _time) : new InPlaceTree(Paths, _repository);

    // Whatever goes wrong here, the sync is done and recorded.
    private async Task<IReadOnlyList<string>> PruneAsync(ITreeMethod method, CancellationToken token)
    {
        try
        {
            _replaced.Prune();
            var record = Records.Read();
            return method is SwapTree swap ? await _old.PruneAsync([record.Now?.Directory, record.Previous?.Directory, swap.Directory], _book.Untouchable(_book.Manifest()), token) : [];
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            return [$"what is old was not removed: {fault.Message}"];
        }
    }

    private void TryRecord(SidecarException fault)
    {
        try
        {
            var code = fault.Message.StartsWith("identity_", StringComparison.Ordinal) ? fault.Message[..fault.Message.IndexOf(':', StringComparison.Ordinal)] : SyncEvent.Failed;
            Records.Add((code, fault.Message));
        }
        catch (Exception full) when (full is IOException or UnauthorizedAccessException)
        {
            // The caller hears the fault itself.
        }
    }
}
