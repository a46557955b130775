using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Identity;

/// <summary>Files in a directory that an index does not have. Ignore rules of a version never decide whether one may be added: they are the upstream's.</summary>
internal sealed class UnknownFiles(UpstreamRepository repository)
{
    private const int Room = 64 * 1024 * 1024;

    /// <summary>Their names as git prints them; identity paths and repositories of their own are left out.</summary>
    /// <param name="directory">The work tree.</param>
    /// <param name="index">What is known.</param>
    /// <param name="untouchable">Pathspecs that are never read.</param>
    /// <param name="ignored">Also those that ignore rules name.</param>
    /// <param name="token">Ends git.</param>
    public async Task<IReadOnlyList<string>> ListAsync(string directory, string index, IReadOnlyList<string> untouchable, bool ignored, CancellationToken token)
    {
        string[] arguments = ["ls-files", "--others", .. ignored ? (string[])[] : ["--exclude-standard"], "--", ":/", .. untouchable.Select(path => $":(top,exclude,glob){path}")];
        var listed = await repository.TryInAsync(directory, index, Room, token, arguments);
        return !listed.Ok || listed.Output.Length >= Room ? throw GitFaults.Explain(["ls-files"], listed)
            : [.. listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(name => !name.TrimEnd('"').EndsWith('/'))];
    }

    public async Task AddAsync(string directory, string index, IReadOnlyList<string> names, CancellationToken token)
    {
        if (names.Count > 0)
        {
            var list = repository.NewName("unknown");
            NewFile.Write(list, Encoding.UTF8.GetBytes(string.Join('\n', names) + "\n"));
            await repository.AddAsync(directory, index, token, "--literal-pathspecs", "add", "--force", $"--pathspec-from-file={list}");
        }
    }

    public static long Size(string directory, IEnumerable<string> names) =>
        names.Sum(name => PathFacts.Of([.. Encoding.UTF8.GetBytes(directory + "/"), .. GitNames.Unquote(name), 0]) is { Kind: PathKind.File, Length: var length } ? length : 0);

    /// <summary>Bytes in words of people.</summary>
    public static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024 / 1024} MiB");
}
