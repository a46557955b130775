using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Retention;

/// <summary>Removes the mirror that was unused for longest, where the disk is near its floor and nothing else of ours can go.</summary>
/// <remarks>
/// A mirror is a copy of what its origin has, but workspaces borrow its objects: one whose repository a workspace names stays,
/// and so do all while a workspace's mark cannot be read or a run with a repository is open. The cost is that the next task of
/// that repository fetches all of it again.
/// </remarks>
internal sealed class ColdMirrors(SidecarConfig config, Func<bool> isRepositoryInUse, ToolRunner tools)
{
    private const string CheckedFile = "fleet-checked";

    /// <returns>The one that was removed, or null where none may go.</returns>
    /// <exception cref="IOException">It could not be removed whole; the rest is swept with other leftovers.</exception>
    public async Task<string?> RemoveOneAsync(CancellationToken token)
    {
        if (!Directory.Exists(config.MirrorsDirectory) || isRepositoryInUse() || Borrowed() is not { } borrowed)
        {
            return null;
        }

        var coldest = Directory.EnumerateDirectories(config.MirrorsDirectory, "*.git")
            .Where(path => !Path.GetFileName(path).StartsWith('.') && !borrowed.Contains(Path.GetFileName(path)))
            .OrderBy(LastUse).FirstOrDefault();
        if (coldest is null)
        {
            return null;
        }

        // A preparation may have begun a moment ago: it then fails once and is tried again, with the mirror where it was.
        var aside = Path.Combine(config.MirrorsDirectory, $"{Clones.Removing}{Guid.NewGuid():N}");
        Directory.Move(coldest, aside);
        if (isRepositoryInUse())
        {
            if (!Directory.Exists(coldest))
            {
                Directory.Move(aside, coldest);
            }

            return null;
        }

        await TreeRemoval.RemoveAsync(tools, aside, token);
        return coldest;
    }

    private HashSet<string>? Borrowed()
    {
        var names = new HashSet<string>();
        foreach (var workspace in Directory.Exists(config.WorkspacesDirectory) ? Directory.GetDirectories(config.WorkspacesDirectory) : [])
        {
            if (WorkspaceMark.Read(workspace) is not { } mark)
            {
                return null;
            }

            names.Add(Mirrors.NameOf(mark.Repository));
        }

        return names;
    }

    private static DateTimeOffset LastUse(string mirror)
    {
        var (directory, mark) = (Written(mirror), Written(Path.Combine(mirror, CheckedFile)));
        return directory > mark ? directory : mark;
    }

    private static DateTimeOffset Written(string path) => PathFacts.Of(path) is { } facts ? facts.Written : DateTimeOffset.MinValue;
}
