using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using FleetSidecar.Configuration;

namespace FleetSidecar.Workspaces;

/// <summary>One bare copy of each repository, fetched before every run, so that a workspace costs a fraction of a clone.</summary>
internal sealed class Mirrors(SidecarConfig config, Git git)
{
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new();

    /// <summary>Brings the mirror up to date and says where it is.</summary>
    /// <exception cref="GitException">The origin could not be fetched whole.</exception>
    public async Task<string> RefreshAsync(string address, CancellationToken token)
    {
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(address)))[..24];
        var path = Path.Combine(config.StateDirectory, "mirrors", $"{name}.git");
        var turn = _turns.GetOrAdd(name, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(token);
        try
        {
            if (!Directory.Exists(path) || !await FetchAsync(path, token))
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

    private async Task<bool> FetchAsync(string path, CancellationToken token)
    {
        var fetched = await git.TryAsync(path, token, "fetch", "--prune", "--quiet", "origin");

        // The default branch may have been renamed since.
        return fetched.Ok && (await git.TryAsync(path, token, "remote", "set-head", "origin", "--auto")) is not null;
    }

    // Beside and renamed: what stands at the real name is always whole. A damaged mirror holds nothing that the origin does not.
    private async Task CloneAsync(string address, string path, CancellationToken token)
    {
        var beside = $"{path}.{Guid.NewGuid():N}";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            await git.RunAsync(Path.GetDirectoryName(path)!, token, "clone", "--mirror", "--quiet", "--", address, beside);
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
