using System.Globalization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>Removes from our repository what nothing needs any more: commits that the upstream no longer has, and what was rescued long ago.</summary>
/// <remarks>An upstream that is rewritten again and again, and an agent that leaves other work before each sync, would fill the disk. Call with the
/// lock and without a journal: the trees of a plan have no name.</remarks>
internal sealed class UpstreamCollection(IdentityPaths paths, UpstreamRepository repository, Git git, string branch, TimeProvider time)
{
    /// <summary>Most bytes of all that was rescued.</summary>
    private const long MostRescued = 1024 * 1024 * 1024;

    // It is looked through when it has this size, and then whenever it has doubled.
    private const long LeastSize = 64 * 1024 * 1024;
    private const int NewestRescued = 3, LargestNote = 32, TimeLength = 18;
    private const string Recorded = "refs/fleet/recorded", Rescued = "refs/fleet/sync-rescue", Upstream = "refs/upstream";
    private static readonly TimeSpan RescuedFor = TimeSpan.FromDays(30);

    private string Note => Path.Combine(paths.Repository, "fleet-collected");

    /// <returns>What was rescued and had to go before its time, a line each.</returns>
    public async Task<IReadOnlyList<string>> RunAsync(SyncRecord record, CancellationToken token)
    {
        var before = Size();
        if (before < LeastSize || before < 2 * Last())
        {
            return [];
        }

        await NameAsync("now", record.Now, token);
        await NameAsync("previous", record.Previous, token);
        foreach (var other in (await ListAsync(Upstream, token)).Where(name => name != $"{Upstream}/{branch}"))
        {
            await TryAsync(token, "update-ref", "-d", other);
        }

        var said = await ForgetAsync(token);

        // What goes wrong in here costs nothing but room; it is tried again when twice as much is there.
        var packed = await TryAsync(token, "repack", "-a", "-d", "-q", "--no-write-bitmap-index") && await TryAsync(token, "prune", "--expire=now");
        GitLeftovers.Remove(paths.Repository);
        AtomicFile.Write(Note, (packed ? Size() : before).ToString(CultureInfo.InvariantCulture));
        return said;
    }

    // What the tree is at decides whether a new commit comes after it, and the trees that a rollback leads to are in no commit of ours.
    private async Task NameAsync(string name, SyncPoint? point, CancellationToken token)
    {
        foreach (var (kind, id) in new[] { ("commit", point?.Commit), ("tree", point?.Tree) })
        {
            if (id is not null && await repository.HasAsync(id, token))
            {
                await TryAsync(token, "update-ref", $"{Recorded}/{name}-{kind}", id);
            }
        }
    }

    private async Task<IReadOnlyList<string>> ForgetAsync(CancellationToken token)
    {
        var (kept, early, bytes) = (0, 0, 0L);
        foreach (var name in (await ListAsync(Rescued, token)).OrderDescending(StringComparer.Ordinal)) // Their names begin with a time.
        {
            var size = await git.TryAsync(paths.Repository, repository.Marked(), token, "rev-list", "--objects", "--disk-usage", name, "--not", $"{Upstream}/{branch}");
            bytes += long.TryParse(size.Output.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var own) ? own : 0;
            var isOld = At(name) is { } at && time.GetUtcNow() - at > RescuedFor;
            if (kept < NewestRescued || (bytes <= MostRescued && !isOld))
            {
                kept++;
            }
            else
            {
                early += isOld ? 0 : 1;
                await TryAsync(token, "update-ref", "-d", name);
            }
        }

        return early == 0 ? [] : [$"{early} of {Rescued} were removed before their time: together they had more than {UnknownFiles.Mebibytes(MostRescued)}"];
    }

    private static DateTimeOffset? At(string name) => name[(name.LastIndexOf('/') + 1)..] is { Length: >= TimeLength } last
        && DateTimeOffset.TryParseExact(last[..TimeLength], "yyyyMMdd'T'HHmmssfff", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) ? at : null;

    private async Task<string[]> ListAsync(string below, CancellationToken token) =>
        await git.TryAsync(paths.Repository, repository.Marked(), token, "for-each-ref", "--format=%(refname)", below) is { Ok: true } listed ? listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [];

    private async Task<bool> TryAsync(CancellationToken token, params string[] arguments) => (await git.TryAsync(paths.Repository, repository.Marked(), token, arguments)).Ok;

    private long Size()
    {
        var objects = Path.Combine(paths.Repository, "objects");
        return Directory.Exists(objects) ? new DirectoryInfo(objects).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) : 0;
    }

    private long Last() => OutsideFile.Read(Note, LargestNote, followLink: false) is { } text && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : 0;
}
