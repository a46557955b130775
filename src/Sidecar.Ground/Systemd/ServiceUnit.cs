using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Ground.Systemd;

/// <summary>Asks systemd about one service and starts it anew; the one place of these commands. Without systemd every question has no answer.</summary>
public sealed class ServiceUnit(ToolRunner tools)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90); // A start waits for READY.
    private static readonly string[] Passed = ["PATH", "LANG", "DBUS_SYSTEM_BUS_ADDRESS"];

    /// <summary><c>loaded</c>, <c>not-found</c>, <c>masked</c> and the like; null where systemd does not answer.</summary>
    public async Task<string?> LoadStateAsync(string unit, CancellationToken token) => (await ShowAsync(unit, token, "LoadState"))?.GetValueOrDefault("LoadState");

    /// <summary>Properties by name; null where systemd does not answer.</summary>
    public async Task<IReadOnlyDictionary<string, string>?> ShowAsync(string unit, CancellationToken token, params string[] properties) =>
        await RunAsync(token, "show", $"--property={string.Join(',', properties)}", "--", unit) is { Ok: true } shown
            ? shown.Output.Split('\n').Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2).GroupBy(parts => parts[0]).ToDictionary(group => group.Key, group => group.First()[1])
            : null;

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

    /// <summary>Has it started at every boot; null, or what systemd said.</summary>
    public async Task<string?> EnableAsync(string unit, CancellationToken token) =>
        await RunAsync(token, "enable", "--quiet", "--", unit) is { Ok: false } refused ? $"systemctl enable {unit}: {refused.Error.Trim().Split('\n')[0]}" : null;

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
