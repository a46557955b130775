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
/// <remarks>With agents in units the program is theirs: it is asked in a unit of their kind, at the first test, once an hour, and when the
/// unit or the program is not as it should be. In between its last answer stands.</remarks>
internal sealed class WakeCheck(SidecarConfig config, AgentQuestions questions, UnitTool? units) : ICheck
{
    private static readonly TimeSpan Trust = TimeSpan.FromHours(1), Limit = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, (long At, CheckResult Result)> _answers = new();

    public string Name => "wake";

    public async Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token)
    {
        var found = new List<CheckResult>();
        foreach (var profile in config.Wake.Profiles)
        {
            found.Add(await LookAsync(profile, token));
        }

        // One that works is enough to take work; the others are still worth a word.
        var judged = found.Exists(one => one.Status != CheckResult.Failed)
            ? found.ConvertAll(one => one.Status == CheckResult.Failed ? one with { Status = CheckResult.Warning } : one)
            : found;
        return [.. judged, .. LookAtUsers()];
    }

    private IEnumerable<CheckResult> LookAtUsers() => !config.AgentsInUnits || AgentSlots.Count() is var users && users >= config.Agent.MaxConcurrentRuns ? []
        : [new CheckResult(Name, CheckResult.Warning,
            users == 0 ? $"agents share the user {AgentSlots.SharedUser}: this machine has no user {AgentSlots.SharedUser}-1" : $"agent.maxConcurrentRuns is {config.Agent.MaxConcurrentRuns}, and this machine has users for {users} agents",
            users == 0 ? "run 'systemd-sysusers && systemd-tmpfiles --create', or install the package again" : "set agent.maxConcurrentRuns to what there is")];

    private async Task<CheckResult> LookAsync(WakeProfile profile, CancellationToken token)
    {
        var program = profile.Command[0];
        if (config.AgentsInUnits && units is not null)
        {
            return await IsDueAsync(units, profile) ? await AskAgentAsync(profile, token) : _answers[profile.Name].Result;
        }

        if (!FileAccessCheck.MayExecute(program))
        {
            return Bad(profile, File.Exists(program) ? $"{program} may not be executed" : $"{program} is not there", "install it, or correct wake.profiles[].command");
        }

        if (units is not null && profile.Network != NetworkPolicy.All)
        {
            return Bad(profile, NetworkRules.Complaint(profile, NetworkRules.NoUnits), NetworkRules.Hint);
        }

        var command = AgentAdapters.Of(profile).VersionCommand(profile);
        if (questions.Refusal is { } refusal)
        {
            return new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {program} is there; it was only looked at, because {refusal}");
        }

        if (ProgramFile.Refusal(program, "/", null) is { } untrusted)
        {
            return Bad(profile, untrusted.Message, untrusted.Hint);
        }

        if (command is null)
        {
            return new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {program} may be executed");
        }

        try
        {
            return Judge(profile, command, await questions.AskAsync(profile, command, Limit, token));
        }
        catch (SidecarException fault)
        {
            return Bad(profile, fault.Message, fault.Hint);
        }
    }

    // That a unit can be started is shown by starting one: now and then, and whenever the service manager does not know the unit.
    private async Task<bool> IsDueAsync(UnitTool units, WakeProfile profile) =>
        !_answers.TryGetValue(profile.Name, out var last) || last.Result.Status == CheckResult.Failed || TimeProvider.System.GetElapsedTime(last.At) > Trust || !await units.IsLoadedAsync(profile.Network);

    private async Task<CheckResult> AskAgentAsync(WakeProfile profile, CancellationToken token)
    {
        var command = AgentAdapters.Of(profile).VersionCommand(profile);
        try
        {
            var outcome = await questions.AskAsync(profile, command ?? ["test", "-x", profile.Command[0]], Limit, token);
            var result = command is not null ? Judge(profile, command, outcome)
                : outcome.Ok ? new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {profile.Command[0]} may be executed by the agents' user")
                : Bad(profile, $"{profile.Command[0]} is not there, or the agents' user may not execute it", "install it for that user, or correct wake.profiles[].command");
            _answers[profile.Name] = (TimeProvider.System.GetTimestamp(), result);
            return result;
        }
        catch (NoFreeUserException busy)
        {
            return _answers.TryGetValue(profile.Name, out var last) ? last.Result : Bad(profile, busy.Message, busy.Hint) with { Status = CheckResult.Warning };
        }
        catch (SidecarException fault)
        {
            _answers.TryRemove(profile.Name, out _);
            return Bad(profile, fault.Message, fault.Hint);
        }
    }

    private CheckResult Judge(WakeProfile profile, IReadOnlyList<string> command, ToolOutcome outcome)
    {
        var printed = outcome.Output.Trim();
        return !outcome.Ok ? Bad(profile, $"'{string.Join(' ', command)}' ended with {(outcome.TimedOut ? $"no answer within {Limit}" : $"exit code {outcome.ExitCode}")}", "call it by hand as the service user")
            : AgentAdapters.Of(profile).CheckVersion(printed) is { } complaint ? Bad(profile, complaint, "install a version that the adapter was tried with; see docs/agents.md") with { Status = CheckResult.Warning }
            : new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {printed.Split('\n')[0]}");
    }

    private CheckResult Bad(WakeProfile profile, string detail, string hint) => new(Name, CheckResult.Failed, $"profile {profile.Name}: {detail}", hint);
}
