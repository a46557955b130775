using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.Identity;

/// <summary>Who is reached how: the upstream's address book is merged into ours by key, so that nobody is routed to by a name that leads nowhere.</summary>
/// <remarks>The merge is tried on a copy first, then done in one transaction on the book itself: an agent that has it open goes on with it.
/// It only adds and updates, so a book never gets emptier.</remarks>
internal sealed class ContactsBook(SidecarConfig config, IdentityPaths paths, UpstreamRepository repository)
{
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
            var rows = SqliteFile.Rows(theirs, options.Table);
            var trial = repository.NewName("contacts");
            SqliteFile.Snapshot(Book, trial);
            var before = SqliteFile.Rows(trial, options.Table).Count;
            var (added, changed) = SqliteFile.Merge(trial, options.Table, options.Key, rows);
            if (SqliteFile.Complaint(trial, options.Table, before) is { } complaint)
            {
                return [$"the upstream's contacts were not merged: {complaint}"];
            }

            if (added + changed > 0)
            {
                SqliteFile.Merge(Book, options.Table, options.Key, rows);
            }

            return [$"contacts: {added} added, {changed} changed, {before + added} in all"];
        }
        catch (IOException fault)
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

        try
        {
            var rows = SqliteFile.Rows(Book, options.Table);
            return new ContactsReport { Count = rows.Count, Contacts = rows };
        }
        catch (IOException fault)
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
