using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Identity;

/// <summary>A command of <c>identity.restart</c> that failed: the tree goes back.</summary>
internal sealed class RestartFailedException(string command, string why)
    : SidecarException($"restart_failed: '{command}' {why}", "look at that service; the tree was taken back to the version before, and its services were started again");

/// <summary>Restarts what runs from the tree, after it was verified.</summary>
internal sealed class ServiceRestart(SidecarConfig config, ToolRunner tools)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private static readonly string[] Passed = ["PATH", "HOME", "USER", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

    /// <exception cref="RestartFailedException">The first that did not end with 0.</exception>
    public async Task RunAsync(CancellationToken token)
    {
        foreach (var command in config.Identity.Restart)
        {
            var environment = Passed.Select(name => (name, Value: Environment.GetEnvironmentVariable(name))).Where(one => one.Value is not null).ToDictionary(one => one.name, one => one.Value!);
            try
            {
                var outcome = await tools.RunAsync(command, environment, "/", Limit, token);
                if (!outcome.Ok)
                {
                    throw new RestartFailedException(string.Join(' ', command), outcome.TimedOut ? $"did not end within {Limit}" : $"ended with {outcome.ExitCode}: {outcome.Error.Trim().Split('\n')[^1]}");
                }
            }
            catch (SpawnException fault)
            {
                throw new RestartFailedException(string.Join(' ', command), $"could not be started: {fault.Message}");
            }
        }
    }
}
