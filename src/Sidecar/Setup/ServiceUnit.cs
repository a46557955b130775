using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Setup;

/// <summary>The unit that runs the daemon of a configuration, where systemd is there and knows one.</summary>
internal sealed class ServiceUnit(ToolRunner tools)
{
    private const string Instances = "/etc/fleet-sidecar/instances/";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90); // A start waits for READY.
    private static readonly string[] Passed = ["PATH", "LANG", "DBUS_SYSTEM_BUS_ADDRESS"];

    /// <summary>By the file alone: the package's paths, or null for any other.</summary>
    public static string? NameFor(string configFile) => configFile switch
    {
        ConfigLoader.DefaultPath => "fleet-sidecar.service",
        _ when configFile.StartsWith(Instances, StringComparison.Ordinal) && configFile[Instances.Length..].Split('/') is [{ Length: > 0 } name, "sidecar.json"] => $"fleet-sidecar@{name}.service",
        _ => null,
    };

    /// <summary>Whether systemd is running and has such a unit.</summary>
    public async Task<bool> IsThereAsync(string unit, CancellationToken token) =>
        await RunAsync(token, "show", "--property=LoadState", "--", unit) is { Ok: true } shown && shown.Output.Trim() == "LoadState=loaded";

    /// <summary>Starts it anew, also where it had failed too often; null, or what systemd said.</summary>
    public async Task<string?> RestartAsync(string unit, CancellationToken token)
    {
        await RunAsync(token, "reset-failed", "--", unit);
        var outcome = await RunAsync(token, "restart", "--", unit);
        return outcome switch
        {
            { Ok: true } => null,
            null => "systemctl is not there",
            _ => $"systemctl restart {unit} {(outcome.TimedOut ? $"did not end within {Limit}" : $"ended with {outcome.ExitCode}")}: {outcome.Error.Trim().Split('\n')[0]}",
        };
    }

    private async Task<ToolOutcome?> RunAsync(CancellationToken token, params string[] arguments)
    {
        var environment = Passed.Select(name => (name, Value: Environment.GetEnvironmentVariable(name))).Where(one => one.Value is not null).ToDictionary(one => one.name, one => one.Value!);
        try
        {
            return await tools.RunAsync(["systemctl", "--no-ask-password", .. arguments], environment, "/", Limit, token);
        }
        catch (SpawnException)
        {
            return null;
        }
    }
}
