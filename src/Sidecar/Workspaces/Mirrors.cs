using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>A mirror as it was handed out.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Copy">Counts its fresh copies since the daemon's start, so that a damaged one is not replaced twice.</param>
internal readonly record struct Mirror(string Path, int Copy);

/// <summary>One bare copy of each repository, fetched before every run, so that a workspace costs a fraction of a clone.</summary>
/// <remarks>Workspaces borrow its objects, so none is ever thrown away: nothing here prunes, and a damaged mirror that was replaced
/// stays beside the fresh one, which borrows its objects, until no workspace is left.</remarks>
internal sealed class Mirrors(SidecarConfig config, Git git, ProcessWatch watch, TimeProvider time)
{
    private const int NameLength = 24, LargestConfig = 64 * 1024;
    private const string Branches = "+refs/heads/*:refs/heads/*";

    private static readonly TimeSpan CheckEvery = TimeSpan.FromDays(1);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();
    private readonly ConcurrentDictionary<string, int> _copies = new();

    public static string DirectoryOf(SidecarConfig config) => config.MirrorsDirectory;

    /// <summary>Whether a path, as git wrote it into a clone, is that of a mirror's objects: letter by letter, so that no link leads there by another way.</summary>
    public static bool IsStore(string path, string? mirrors) =>
        mirrors is not null && Path.GetFileName(Path.GetDirectoryName(path)) is { Length: NameLength + 4 } name && name[..NameLength].All(char.IsAsciiHexDigitLower)
        && path == Path.Combine(mirrors, name, "objects") && name.EndsWith(".git", StringComparison.Ordinal);

    /// <summary>The name of a repository's mirror in their directory.</summary>
    public static string NameOf(string address) => $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address)))[..NameLength]}.git";

    /// <summary>Whether the repository was fetched here before.</summary>
    public bool Knows(string address) => Directory.Exists(Path.Combine(DirectoryOf(config), NameOf(address)));

    /// <summary>Brings the mirror up to date and says where it is.</summary>
    /// <param name="address">The repository.</param>
    /// <param name="damaged">The copy that was found damaged: it is replaced, unless another run has done so; null for none.</param>
    /// <param name="token">Gives up waiting.</param>
    /// <exception cref="GitException">The origin could not be fetched whole.</exception>
    public async Task<Mirror> RefreshAsync(string address, int? damaged, CancellationToken token)
    {
        var name = NameOf(address);
        var path = Path.Combine(DirectoryOf(config), name);
        var turn = _turns.GetOrAdd(name, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(token);
        try
        {
            OwnModes.Restore(config);
            ClearPlace.For(DirectoryOf(config));
            Directory.CreateDirectory(DirectoryOf(config));
            if (PathFacts.Of(path) is { Kind: not PathKind.Directory })
            {
                File.Delete(path); // A link, also to a directory, is no mirror of ours: nothing is cleared behind it.
            }

            using var owner = await MirrorOwner.TakeAsync(path, address, watch, token);
            var isTrapped = ClearTraps(path);
            MirrorSwap.Forget(path);
            var copy = _copies.GetValueOrDefault(name);
            if (damaged == copy || isTrapped || !Directory.Exists(path) || !await FetchAsync(address, path, token))
            {
                await CloneAsync(address, path, token);
                _copies[name] = ++copy;
            }

            return new Mirror(path, copy);
        }
        catch
        {
            GitLeftovers.Remove(path); // Of a fetch that was ended: it may have filled the disk.
            throw;
        }
        finally
        {
            turn.Release();
        }
    }

    // Also in the copies that it replaced: workspaces and the mirror itself read their objects.
    private static bool ClearTraps(string path)
    {
        foreach (var replaced in MirrorSwap.ReplacedOf(path))
        {
            MirrorFiles.Clear(replaced, isOurTurn: true);
        }

        return Directory.Exists(path) && MirrorFiles.Clear(path, isOurTurn: true);
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

        await ForgetAddressAsync(path, token);
        var mark = Path.Combine(path, "fleet-checked");
        if (PathFacts.Of(mark) is { Kind: PathKind.File } known && time.GetUtcNow() - known.Written is var age && age >= TimeSpan.Zero && age < CheckEvery)
        {
            return true;
        }

        if (!(await git.TryAsync(path, token, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")).Ok)
        {
            return false;
        }

        // Many small packs make every later step slow. Everything is kept, reachable or not.
        await git.TryAsync(path, token, "repack", "-a", "-d", "-k", "--quiet");
        ClearPlace.ForFile(mark);
        NewFile.Write(mark, []);
        File.SetLastWriteTimeUtc(mark, time.GetUtcNow().UtcDateTime);
        return true;
    }

    // An address may hold a password, and every agent reads the mirrors. Each fetch is told it anew.
    private async Task ForgetAddressAsync(string mirror, CancellationToken token)
    {
        if (OutsideFile.Read(Path.Combine(mirror, "config"), LargestConfig, followLink: false) is { } bytes && OutsideText.Decode(bytes).Contains("url =", StringComparison.Ordinal))
        {
            await git.TryAsync(mirror, token, "config", "--unset-all", "remote.origin.url");
        }
    }

    // Beside, then put in place: what stands at the real name is always whole.
    private async Task CloneAsync(string address, string path, CancellationToken token)
    {
        var replaces = Directory.Exists(path);
        if (replaces && MirrorSwap.ReplacedOf(path).Length >= MirrorSwap.MostReplaced)
        {
            throw new GitException(
                GitFaults.Damaged,
                $"the mirror {path} is damaged, and so were the {MirrorSwap.MostReplaced} before it, which workspaces may borrow from",
                "check the disk; the damaged copies go with the last workspace, see 'fleet-sidecar workspaces'");
        }

        // A repository on this machine is copied file by file, damage included. A clone that replaces a damaged copy comes
        // through git, which then proves every object.
        string[] check = replaces ? ["--no-local"] : ["--no-hardlinks"];
        var beside = $"{path}.making-{Guid.NewGuid():N}";
        try
        {
            // The clone's address may hold a password, and agents see this directory.
            Directory.CreateDirectory(beside, PrivateDirectory.Mode);
            string[] clone = ["clone", "--bare", .. check, "--template=", "--quiet", "--", address, beside];
            await git.RunAsync(DirectoryOf(config), token, clone);
            await git.RunAsync(beside, token, "config", "remote.origin.fetch", Branches);
            await ForgetAddressAsync(beside, token);
            File.SetUnixFileMode(beside, PrivateDirectory.Mode | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
            NewFile.Write(Path.Combine(beside, "fleet-checked"), []);
            MirrorSwap.Put(beside, path);
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
