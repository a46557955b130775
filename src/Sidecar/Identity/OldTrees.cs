using System.Globalization;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>Method swap: removes versions of our own making that are neither in force nor the one before, after everything in them that no version has was rescued.</summary>
internal sealed class OldTrees(IdentityPaths paths, UpstreamRepository repository, ToolRunner tools, TimeProvider time)
{
    private const long MostRescued = 256 * 1024 * 1024;
    private readonly UnknownFiles _unknown = new(repository);

    /// <returns>What was rescued, and what had to stay and why. A directory that cannot be dealt with is no reason to take a sync back.</returns>
    public async Task<IReadOnlyList<string>> PruneAsync(IReadOnlyCollection<string?> kept, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        var notes = new List<string>();
        foreach (var old in Directory.Exists(paths.Trees) ? Directory.GetDirectories(paths.Trees).Where(path => IsOurs(paths, path) && !kept.Contains(path)) : [])
        {
            try
            {
                if (await NestedAsync(old, token) is { } nested)
                {
                    notes.Add($"{old} is not removed: {GitNames.Escape(nested)} is a repository of its own; move it away and remove the rest by hand");
                }
                else if (untouchable.FirstOrDefault(path => WasWrittenLate(old, path)) is { } book)
                {
                    // Under another name: when the link was turned cannot be told any more once the next version is gone too.
                    Directory.Move(old, $"{old}-kept");
                    notes.Add($"{old}-kept stays: somebody wrote its {GitNames.Escape(book)} after the link was turned; see what of it is missing in the new one, then remove it by hand");
                }
                else
                {
                    notes.AddRange(await RescueAsync(old, untouchable, token));
                    await RemoveAsync(old, token);
                }
            }
            catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
            {
                notes.Add($"{old} is not removed: {fault.Message}");
            }
        }

        return notes;
    }

    /// <summary>The directory of a version of ours: a commit and a time.</summary>
    public static string NameFor(IdentityPaths paths, string commit, DateTimeOffset now) => Path.Combine(paths.Trees, $"{commit[..12]}-{now:yyyyMMdd'T'HHmmssfff}");

    public static bool IsOurs(IdentityPaths paths, string path) => Path.GetDirectoryName(path) == Path.GetFullPath(paths.Trees) && Path.GetFileName(path).Split('-') is [{ Length: 12 }, { Length: 18 }];

    // Not the framework's own way: it cannot name a file whose name is no text.
    public async Task RemoveAsync(string path, CancellationToken token)
    {
        if (PathFacts.Of(path) is not null && await RunAsync(["rm", "-rf", "--", path], token) is { Ok: false } failed)
        {
            throw new SidecarException($"cannot remove {path}: {failed.Error.Trim()}", "remove it by hand");
        }
    }

    // A program that had the book open went on in the old one. Its rows are nowhere else, and only a person can say what they mean.
    private bool WasWrittenLate(string old, string path)
    {
        var (file, log) = (PathFacts.Of(Path.Combine(old, path)), PathFacts.Of(Path.Combine(old, path) + "-wal"));
        if (file is not { Kind: PathKind.File } book || !IsBook(Path.Combine(old, path)))
        {
            return false;
        }

        var next = Directory.GetDirectories(paths.Trees).Where(other => IsOurs(paths, other)).Select(Made).Where(made => made > Made(old)).DefaultIfEmpty(DateTimeOffset.MaxValue).Min();
        return book.Written > next || (log is { Kind: PathKind.File, Length: > 0 } rows && rows.Written > next);
    }

    private static DateTimeOffset Made(string directory) =>
        DateTimeOffset.TryParseExact(Path.GetFileName(directory).Split('-')[1], "yyyyMMdd'T'HHmmssfff", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var made) ? made : DateTimeOffset.MinValue;

    private static bool IsBook(string file)
    {
        var start = new byte[15];
        using var stream = OutsideFile.Stream(file);
        return stream is not null && stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.AsSpan().SequenceEqual("SQLite format 3"u8);
    }

    // A version has no .git of its own, so whichever is there has history that nobody else has.
    private async Task<string?> NestedAsync(string old, CancellationToken token)
    {
        var found = await RunAsync(["find", old, "-iname", ".git", "-print", "-quit"], token);
        return !found.Ok ? throw new SidecarException($"it cannot be searched: {found.Error.Trim().Split('\n')[0]}", "look at it by hand")
            : found.Output.TrimEnd('\n') is { Length: > 0 } path ? Path.GetDirectoryName(path) : null;
    }

    private async Task<IReadOnlyList<string>> RescueAsync(string old, IReadOnlyList<string> untouchable, CancellationToken token)
    {
        var commit = Path.GetFileName(old)[..12];
        var version = await repository.HasAsync(commit, token) ? await repository.WithoutAsync(commit, untouchable, token) : Git.EmptyTree;
        var index = repository.NewName("index");
        await repository.InAsync(old, index, token, "read-tree", version);
        await repository.TryInAsync(old, index, token, "update-index", "-q", "--refresh");
        var unknown = await _unknown.ListAsync(old, index, untouchable, ignored: true, token);
        if (UnknownFiles.Size(old, unknown) is > MostRescued and var size)
        {
            throw new SidecarException($"{UnknownFiles.Mebibytes(size)} in it are in no version, more than {UnknownFiles.Mebibytes(MostRescued)} that are rescued; look through it and remove it by hand", "remove it by hand");
        }

        await repository.AddKnownAsync(old, index, version, token);
        await _unknown.AddAsync(old, index, unknown, token);
        var found = await repository.InAsync(old, index, token, "write-tree");
        if ((await repository.ChangedAsync(version, found, "AMT", token)).Count == 0)
        {
            return []; // Nothing that no version has.
        }

        var name = $"{time.GetUtcNow().ToString("yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture)}-of-{Path.GetFileName(old)}";
        return [$"what no version has of {old} is rescued: {await repository.KeepAsync(found, null, name, $"What no version had in {old}, before it was removed", token)}"];
    }

    private Task<ToolOutcome> RunAsync(IReadOnlyList<string> command, CancellationToken token) => tools.RunAsync(command,
        new Dictionary<string, string> { ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin", [UpstreamRepository.Mark] = paths.Home }, "/", TimeSpan.FromMinutes(10), token);
}
