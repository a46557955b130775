using System.Collections.Concurrent;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.SelfTest;

/// <summary>Every profile's program is there and may be executed, and says its version where its adapter knows how to ask. No tokens are spent.</summary>
internal sealed class WakeCheck(SidecarConfig config, ToolRunner tools, UnitTool? units) : ICheck, IDisposable
{
    private const string AgentsHome = "/var/lib/fleet-agent";
    private const UnixFileMode Usable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private static readonly TimeSpan Trust = TimeSpan.FromHours(1);

    private readonly SemaphoreSlim _turn = new(1);
    private readonly ConcurrentDictionary<string, long> _startedAt = new();

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    public string Name => "wake";

    public async Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token)
    {
        var found = new List<CheckResult>();
        foreach (var profile in config.Wake.Profiles)
        {
            found.Add(await LookAsync(profile, token));
        }

        // One that works is enough to take work; the others are still worth a word.
        return found.Exists(one => one.Status != CheckResult.Failed)
            ? found.ConvertAll(one => one.Status == CheckResult.Failed ? one with { Status = CheckResult.Warning } : one)
            : found;
    }

    private async Task<CheckResult> LookAsync(WakeProfile profile, CancellationToken token)
    {
        var program = profile.Command[0];
        if (config.AgentsInUnits && PathFacts.Of(AgentsHome) is { } home && (home.Mode & Usable) != Usable)
        {
            return Bad(profile, $"the agents' home {AgentsHome} is closed to its owner", $"chmod 700 {AgentsHome}; an agent did that");
        }

        if (config.AgentsInUnits && units is not null && (!FileAccessCheck.MayExecute(program) || await IsDueAsync(units, profile)))
        {
            return await LookAsAgentAsync(units, profile, token);
        }

        if (!FileAccessCheck.MayExecute(program))
        {
            return Bad(profile, File.Exists(program) ? $"{program} may not be executed" : $"{program} is not there", "install it, or correct wake.profiles[].command");
        }

        var adapter = AgentAdapters.Of(profile);
        if (adapter.VersionCommand(profile) is not { } command)
        {
            return new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {program} may be executed");
        }

        try
        {
            var environment = AgentEnvironment.For(config.StateDirectory, "none", profile, config).ToDictionary(pair => pair.Key, pair => pair.Value);
            environment.Remove(Recorder.Mark);
            environment.Remove("FLEET_NONCE");
            environment.Remove("FLEET_RUN_DIR");
            var outcome = await tools.RunAsync(command, environment, "/", Limit, token);
            return Judge(profile, command, outcome);
        }
        catch (SidecarException fault)
        {
            return Bad(profile, fault.Message, fault.Hint);
        }
    }

    // That a unit can be started is shown by starting one: now and then, and whenever the service manager does not know the unit.
    private async Task<bool> IsDueAsync(UnitTool units, WakeProfile profile) =>
        !_startedAt.TryGetValue(profile.Name, out var at) || TimeProvider.System.GetElapsedTime(at) > Trust || !await units.IsLoadedAsync();

    // A program in the agents' home is theirs alone: it is looked at as they see it, in a unit of their kind.
    private async Task<CheckResult> LookAsAgentAsync(UnitTool units, WakeProfile profile, CancellationToken token)
    {
        var command = AgentAdapters.Of(profile).VersionCommand(profile);
        await _turn.WaitAsync(token);
        try
        {
            var outcome = await units.RunAsync(UnitTool.SelfTest, "look", profile.Environment, command ?? ["test", "-x", profile.Command[0]], null, Limit, token);
            _startedAt[profile.Name] = TimeProvider.System.GetTimestamp();
            return command is not null ? Judge(profile, command, outcome)
                : outcome.Ok ? new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {profile.Command[0]} may be executed by the agents' user")
                : Bad(profile, $"{profile.Command[0]} is not there, or the agents' user may not execute it", "install it for that user, or correct wake.profiles[].command");
        }
        catch (SidecarException fault)
        {
            _startedAt.TryRemove(profile.Name, out _);
            return Bad(profile, fault.Message, fault.Hint);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    private CheckResult Judge(WakeProfile profile, IReadOnlyList<string> command, ToolOutcome outcome)
    {
        var printed = outcome.Output.Trim();
        return !outcome.Ok ? Bad(profile, $"'{string.Join(' ', command)}' ended with {(outcome.TimedOut ? $"no answer within {Limit}" : $"exit code {outcome.ExitCode}")}", "call it by hand as the service user")
            : AgentAdapters.Of(profile).CheckVersion(printed) is { } complaint ? Bad(profile, complaint, "install a version that the adapter was tried with; see docs/agents.md") with { Status = CheckResult.Warning }
            : new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {printed.Split('\n')[0]}");
    }

    private CheckResult Bad(WakeProfile profile, string detail, string hint) => new(Name, CheckResult.Failed, $"profile {profile.Name}: {detail}", hint);
}
