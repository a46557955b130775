using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>One bare copy of each repository, fetched before every run, so that a workspace costs a fraction of a clone.</summary>
/// <remarks>Workspaces borrow its objects, so none is ever thrown away: nothing here prunes, and a damaged mirror that was replaced
/// stays beside the new one until no workspace is left.</remarks>
internal sealed class Mirrors(SidecarConfig config, Git git, ProcessWatch watch, TimeProvider time)
{
    private const int NameLength = 24;
    private const string Branches = "+refs/heads/*:refs/heads/*";

    private static readonly TimeSpan CheckEvery = TimeSpan.FromDays(1);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();

    public static string DirectoryOf(SidecarConfig config) => config.MirrorsDirectory;

    /// <summary>Whether a path, as git wrote it into a clone, is that of a mirror's objects: letter by letter, so that no link leads there by another way.</summary>
    public static bool IsStore(string path, string? mirrors) =>
        mirrors is not null && Path.GetFileName(Path.GetDirectoryName(path)) is { Length: NameLength + 4 } name && name[..NameLength].All(char.IsAsciiHexDigitLower)
        && path == Path.Combine(mirrors, name, "objects") && name.EndsWith(".git", StringComparison.Ordinal);

    /// <summary>Brings the mirror up to date and says where it is.</summary>
    /// <param name="address">The repository.</param>
    /// <param name="damaged">It was found damaged just now: made anew whatever it looks like.</param>
    /// <param name="token">Gives up waiting.</param>
    /// <exception cref="GitException">The origin could not be fetched whole.</exception>
    public async Task<string> RefreshAsync(string address, bool damaged, CancellationToken token)
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address)))[..NameLength];
        var path = Path.Combine(DirectoryOf(config), $"{name}.git");
        var turn = _turns.GetOrAdd(name, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(token);
        try
        {
            Directory.CreateDirectory(DirectoryOf(config));
            using var owner = await MirrorOwner.TakeAsync(path, address, watch, token);
            if (damaged || !Directory.Exists(path) || !await FetchAsync(address, path, token))
            {
                await CloneAsync(address, path, token);
            }

            return path;
        }
        finally
        {
            turn.Release();
        }
    }

    // False: the copy here is at fault, not the way to the origin.
    private async Task<bool> FetchAsync(string address, string path, CancellationToken token)
    {
        string[] fetch = ["fetch", "--prune", "--quiet", "--no-write-fetch-head", "--", address, Branches];
        var fetched = await git.TryAsync(path, token, fetch);
        if (!fetched.Ok)
        {
            return GitFaults.Classify(fetched) is GitFaults.Damaged or GitFaults.Other ? false : throw GitFaults.Explain(fetch, fetched);
        }

        var mark = Path.Combine(path, "fleet-checked");
        if (File.Exists(mark) && time.GetUtcNow() - File.GetLastWriteTimeUtc(mark) is var age && age >= TimeSpan.Zero && age < CheckEvery)
        {
            return true;
        }

        if (!(await git.TryAsync(path, token, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")).Ok)
        {
            return false;
        }

        // Many small packs make every later step slow. Everything is kept, reachable or not.
        await git.TryAsync(path, token, "repack", "-a", "-d", "-k", "--quiet");
        await File.WriteAllTextAsync(mark, "", token);
        File.SetLastWriteTimeUtc(mark, time.GetUtcNow().UtcDateTime);
        return true;
    }

    // Beside and renamed: what stands at the real name is always whole.
    private async Task CloneAsync(string address, string path, CancellationToken token)
    {
        var beside = $"{path}.making-{Guid.NewGuid():N}";
        try
        {
            await git.RunAsync(DirectoryOf(config), token, "clone", "--bare", "--no-hardlinks", "--template=", "--quiet", "--", address, beside);
            await git.RunAsync(beside, token, "config", "remote.origin.fetch", Branches);
            await File.WriteAllTextAsync(Path.Combine(beside, "fleet-checked"), "", token);
            if (Directory.Exists(path))
            {
                Directory.Move(path, $"{path}.replaced-{Guid.NewGuid():N}");
            }

            Directory.Move(beside, path);
        }
        finally
        {
            if (Directory.Exists(beside))
            {
                Directory.Delete(beside, recursive: true);
            }
        }
    }
}
