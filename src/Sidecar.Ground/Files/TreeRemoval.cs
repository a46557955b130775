using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Ground.Files;

/// <summary>Removes a directory whatever others made in it: names that are no UTF-8, paths longer than the system takes at once, directories without rights. Links are removed, not followed.</summary>
/// <remarks>The framework cannot: it knows files by text and by whole paths. rm(1) goes from directory to directory.</remarks>
public static class TreeRemoval
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);
    private const UnixFileMode Ours = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    // What a container without root left belongs to numbers of this user's own range (subuid(5)), and only a process that stands for all of them removes it.
    private static readonly string[] AsAllOfOurs = ["unshare", "--user", "--map-auto", "--map-root-user", "--"];

    private static readonly Dictionary<string, string> Environment = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    /// <exception cref="IOException">Something stays; what was removed is gone.</exception>
    public static async Task RemoveAsync(ToolRunner tools, string directory, CancellationToken token)
    {
        if (!Path.Exists(directory))
        {
            return;
        }

        var outcome = await RunAsync(tools, ["rm", "-rf", "--one-file-system", "--", directory], token);
        if (Path.Exists(directory))
        {
            // Not chmod(1): it changes by name, and a link that comes in between leads it to any file of its user.
            await Task.Run(() => TreeRights.Set(directory, (isDirectory, mode) => mode | Ours | (isDirectory ? UnixFileMode.UserExecute : 0), withoutLists: false, token), token);
            outcome = await RunAsync(tools, ["rm", "-rf", "--one-file-system", "--", directory], token);
        }

        if (Path.Exists(directory) && !TrustedPath.IsRoot)
        {
            await TryAsAllOfOursAsync(tools, directory, token);
        }

        if (Path.Exists(directory))
        {
            throw new IOException(outcome.Error.Split('\n')[0] is { Length: > 0 } said ? said : $"{directory} is still there");
        }
    }

    private static async Task TryAsAllOfOursAsync(ToolRunner tools, string directory, CancellationToken token)
    {
        try
        {
            await RunAsync(tools, [.. AsAllOfOurs, "rm", "-rf", "--one-file-system", "--", directory], token);
        }
        catch (SpawnException)
        {
            // This machine has no unshare(1); then it has no such containers either.
        }
    }

    private static Task<ToolOutcome> RunAsync(ToolRunner tools, string[] command, CancellationToken token) => tools.RunAsync(command, Environment, "/", Limit, token);
}
