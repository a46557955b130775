using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Storage;

namespace FleetSidecar.SelfTest;

/// <summary>The store takes a commit; without a daemon, its directory takes a file that is synced.</summary>
internal sealed class StoreCheck(SidecarConfig config, Store? store, TimeProvider time) : ICheck
{
    private const string Hint = "is the disk full, read-only or broken, and does the directory belong to the service user?";

    public string Name => "store";

    public async Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token)
    {
        var began = time.GetTimestamp();
        try
        {
            if (store is not null)
            {
                await store.CommitAsync(db => db.Execute("INSERT INTO self_test (id, at_unix_ms) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET at_unix_ms = ?1",
                    time.GetUtcNow().ToUnixTimeMilliseconds())).WaitAsync(token);
            }
            else if (PathFacts.Of(config.StateDirectory) is { } state && state.Owner != UnixAccounts.Self)
            {
                return [new CheckResult(Name, CheckResult.Ok, $"{config.StateDirectory} was only looked at: it is {UnixAccounts.NameOf(state.Owner)}'s, and nobody else writes there")];
            }
            else
            {
                var probe = Path.Combine(config.StateDirectory, ".doctor");
                AtomicFile.Write(probe, "written and synced");
                File.Delete(probe);
            }

            return [new CheckResult(Name, CheckResult.Ok, $"{config.StateDirectory} took a synced write in {time.GetElapsedTime(began).TotalMilliseconds:0.0} ms")];
        }
        catch (StoreUnavailableException fault)
        {
            return [new CheckResult(Name, CheckResult.Failed, fault.Message, fault.Hint)];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [new CheckResult(Name, CheckResult.Failed, fault.Message, Hint)];
        }
    }

    public string? Fix()
    {
        if (store is not null || Directory.Exists(config.StateDirectory))
        {
            return null;
        }

        Directory.CreateDirectory(config.StateDirectory);
        return $"made {config.StateDirectory}";
    }
}
