using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.SelfTest;

/// <summary>Every profile's program is there and may be executed, and says its version where its adapter knows how to ask. No tokens are spent.</summary>
internal sealed class WakeCheck(SidecarConfig config, ToolRunner tools) : ICheck
{
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
            var printed = outcome.Output.Trim();
            return !outcome.Ok ? Bad(profile, $"'{string.Join(' ', command)}' ended with {(outcome.TimedOut ? $"no answer within {Limit}" : $"exit code {outcome.ExitCode}")}", "call it by hand as the service user")
                : adapter.CheckVersion(printed) is { } complaint ? Bad(profile, complaint, "install a version that the adapter was tried with; see docs/agents.md") with { Status = CheckResult.Warning }
                : new CheckResult(Name, CheckResult.Ok, $"profile {profile.Name}: {printed.Split('\n')[0]}");
        }
        catch (SidecarException fault)
        {
            return Bad(profile, fault.Message, fault.Hint);
        }
    }

    private CheckResult Bad(WakeProfile profile, string detail, string hint) => new(Name, CheckResult.Failed, $"profile {profile.Name}: {detail}", hint);
}
