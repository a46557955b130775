using System.Text;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetSidecar.Identity;

/// <summary>Who is reached how: the upstream's address book is merged into ours by key, so that nobody is routed to by a name that leads nowhere.</summary>
/// <remarks>The merge is tried on a copy first, then done in one transaction on the book itself: an agent that has it open goes on with it.
/// Ours win: what we have is never changed, and a key that was offered before and is not here was deleted here, and stays so.</remarks>
internal sealed class ContactsBook(SidecarConfig config, IdentityPaths paths, UpstreamRepository repository, LiveDatabase database)
{
    private const int LargestList = 16 * 1024 * 1024, LargestRow = SqliteFile.LargestInserted / 2;

    // What is left of an identity file's size is the agent's own to fill: a book that is too large to be kept closes every sync.
    private const long LargestMerged = IdentitySources.LargestFile / 4 * 3;

    /// <summary>Where the upstream's book is, or null where none is configured.</summary>
    public string? From => config.Identity.Contacts is { } options ? options.From ?? options.Path : null;

    private string Book => Path.Combine(paths.Tree, config.Identity.Contacts!.Path);

    /// <summary>Merges what the upstream has at a commit; says what was done.</summary>
    public async Task<IReadOnlyList<string>> MergeAsync(string commit, CancellationToken token)
    {
        if (config.Identity.Contacts is not { } options || await FetchAsync(commit, token) is not { } theirs)
        {
            return [];
        }

        try
        {
            if (SqliteFile.Complaint(theirs, options.Table, 0) is { } odd)
            {
                return [$"the upstream's contacts were not merged: {odd}"];
            }

            var all = SqliteFile.Rows(theirs, options.Table);
            var rows = Fitting(all);
            var offered = Offered(paths.Offered);
            var trial = repository.NewName("contacts");
            database.Snapshot(Book, trial, isOfSync: true);
            var before = SqliteFile.Rows(trial, options.Table).Count;
            var added = database.Merge(trial, theirs, options.Table, options.Key, paths.Offered);
            if (SqliteFile.Complaint(trial, options.Table, before) is { } complaint)
            {
                return [$"the upstream's contacts were not merged: {complaint}"];
            }

            if (added > 0 && new FileInfo(trial) is { Length: > LargestMerged } merged)
            {
                return [$"the upstream's contacts were not merged: our book would have {merged.Length} bytes, more than {LargestMerged}"];
            }

            var notRun = added > 0 && SqliteFile.HasTrigger(trial, options.Table) ? $"; the triggers of {options.Table} were not run for them" : "";
            if (added > 0)
            {
                database.Merge(Book, theirs, options.Table, options.Key, paths.Offered);
            }

            CrashPoints.At(CrashPointName.ContactsMerged);
            Remember(offered, rows.Select(row => row.GetValueOrDefault(options.Key)).OfType<string>());
            var leftOut = rows.Count < all.Count ? $"; {all.Count - rows.Count} of the upstream's have more than {LargestRow} bytes and were left out" : "";
            return [$"contacts: {added} added, {before + added} in all{leftOut}{notRun}"];
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException)
        {
            return [$"the upstream's contacts were not merged: {fault.Message}"]; // Ours stay as they are; a bad book is no reason to have old code.
        }
    }

    /// <summary>All contacts of our book.</summary>
    /// <exception cref="SidecarException">There is none, or it cannot be read.</exception>
    public ContactsReport Read()
    {
        if (config.Identity.Contacts is not { } options)
        {
            throw new ConfigurationException("identity.contacts is not configured", "name the address book there");
        }

        IdentityLock.RequireOwner(paths);
        try
        {
            var rows = database.Look(copy =>
            {
                database.Snapshot(Book, copy);
                return new FileInfo(copy) is { Length: > IdentitySources.LargestFile } large ? throw new IOException($"it has {large.Length} bytes, more than {IdentitySources.LargestFile}") : SqliteFile.Rows(copy, options.Table);
            });
            return new ContactsReport { Count = rows.Count, Contacts = rows };
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw new SidecarException($"cannot read the address book {Book}: {fault.Message}", "run 'fleet-sidecar identity check'", fault);
        }
    }

    /// <exception cref="SidecarException">Nobody is called that; the message names those who are known.</exception>
    public IReadOnlyDictionary<string, string?> Find(string name)
    {
        var (known, key) = (Read().Contacts, config.Identity.Contacts!.Key);
        return known.FirstOrDefault(contact => string.Equals(contact.GetValueOrDefault(key), name, StringComparison.OrdinalIgnoreCase))
            ?? throw new SidecarException($"unknown_contact: nobody is called '{name}'", known.Count == 0 ? "the address book is empty; sync, or fill it" : $"known are {string.Join(", ", known.Select(contact => contact.GetValueOrDefault(key)))}");
    }

    /// <summary>The rows of another book that are small enough to be added.</summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, string?>> Fitting(IEnumerable<IReadOnlyDictionary<string, string?>> rows) =>
        [.. rows.Where(row => row.Values.Sum(value => value is null ? 0L : Encoding.UTF8.GetByteCount(value)) < LargestRow)];

    /// <summary>The keys that were offered once, from their list.</summary>
    /// <exception cref="IOException">It cannot be read. Without it, contacts that were deleted here would be added again.</exception>
    public static HashSet<string> Offered(string list)
    {
        if (PathFacts.Of(list) is null)
        {
            return new(StringComparer.OrdinalIgnoreCase);
        }

        return OutsideJson.Read(OutsideFile.Read(list, LargestList, followLink: false), IdentityJson.Default.IReadOnlyListString, out var problem) is { } offered
            ? new(offered.Where(key => key is not null), StringComparer.OrdinalIgnoreCase)
            : throw new IOException($"{list} cannot be read: {problem}; remove it, and every contact of the upstream that is not here is added once more");
    }

    private void Remember(HashSet<string> offered, IEnumerable<string> keys)
    {
        var before = offered.Count;
        offered.UnionWith(keys);
        if (offered.Count > before)
        {
            OwnedFile.Write(paths.Offered, JsonSerializer.SerializeToUtf8Bytes([.. offered.Order(StringComparer.Ordinal)], IdentityJson.Default.IReadOnlyListString), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    // Only into our own work directory, never into the tree.
    private async Task<string?> FetchAsync(string commit, CancellationToken token)
    {
        var (index, directory) = (repository.NewName("index"), repository.NewName("theirs"));
        Directories.Make(directory);
        await repository.InAsync(directory, index, token, "read-tree", commit);
        var written = await repository.TryInAsync(directory, index, token, "checkout-index", "--force", "--", From!);
        var path = Path.Combine(directory, From!);
        return written.Ok && File.Exists(path) && new FileInfo(path) is { LinkTarget: null, Length: <= IdentitySources.LargestFile } ? path : null;
    }
}
