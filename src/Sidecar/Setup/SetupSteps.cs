using System.Text.Json.Nodes;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.Protocol;

namespace FleetSidecar.Setup;

/// <summary>Makes a machine part of the fleet: token, configuration, daemon, proof. Each step finds what an earlier setup left and goes on from there.</summary>
/// <remarks>
/// Everything that can be refused without the hub is refused before it is asked. The token is on disk before anything else is
/// done with it: the hub gives it out once. A crash between the hub's answer and that write is the one that setup cannot mend
/// alone; the hub then says that the id is taken, and the line says what to do.
/// </remarks>
internal sealed class SetupSteps(SetupRequest request, HubDesk desk, ServiceUnit units, SetupProving proving, Action<string, string> say)
{
    public SetupReport Report { get; private set; } = new()
    {
        AgentId = request.AgentId, Hub = request.Hub.ToString(), ConfigFile = request.ConfigFile, TokenFile = request.TokenFile,
    };

    public async Task RunAsync(CancellationToken token)
    {
        if (request.Hub.Scheme == Uri.UriSchemeHttp && !request.Hub.IsLoopback)
        {
            say("warning", $"{request.Hub} is not encrypted: tokens and tasks can be read on the way; use https:// or a tunnel");
        }

        var name = request.Unit ?? PackagePaths.UnitOf(request.ConfigFile);
        var load = name is null ? null : await units.LoadStateAsync(name, token);
        if (load == "masked")
        {
            throw new SidecarException($"the unit {name} is masked", $"systemctl unmask {name}; then run setup again");
        }

        var unit = load == "loaded" ? name : null;
        var (keys, changed) = Plan(unit);
        if (changed)
        {
            SetupFiles.Check(request.ConfigFile, keys);
        }

        SetupFiles.Probe("nothing was asked of the hub yet", request.ConfigFile, request.TokenFile); // Before the hub gives out a token, which it does once.

        var secret = await TokenAsync(token);
        CrashPoints.At(CrashPointName.SetupToken);
        if (changed)
        {
            SetupFiles.WriteConfig(request.ConfigFile, keys);
        }

        CrashPoints.At(CrashPointName.SetupConfig);
        Report = Report with { Config = changed ? "written" : "unchanged" };
        say("config", changed ? $"wrote {request.ConfigFile}" : $"{request.ConfigFile} says all of it already");
        await StartAsync(unit, token);
        if (request.Test)
        {
            var config = ConfigLoader.Load(request.ConfigFile, []);
            await proving.WaitForDaemonAsync(config, unit is not null, token);
            Report = Report with { Doctor = await proving.LookAsync(config, token) };
            Report = Report with { Proof = await proving.ProveAsync(secret, proof => Report = Report with { Proof = proof }, token) };
        }

        Report = Report with { Ok = true };
    }

    // The package enables its own unit; of instances it knows nothing.
    private bool IsInstance(string unit) => unit.Contains('@', StringComparison.Ordinal) && unit == PackagePaths.UnitOf(request.ConfigFile);

    private (JsonObject Keys, bool Changed) Plan(string? unit)
    {
        var present = SetupFiles.ReadConfig(request.ConfigFile);
        var found = "";
        var (keys, conflicts) = SetupConfig.Merge(present, request, request.TokenFile, () =>
        {
            (var profile, found) = FirstProfile.Choose(request.AgentCommand, program => FirstProfile.OnPath(program, Environment.GetEnvironmentVariable("PATH"), FileAccessCheck.MayExecute), FileAccessCheck.MayExecute);
            return profile;
        });
        if (conflicts.Count > 0 && !request.Force)
        {
            throw new ConfigurationException($"{request.ConfigFile} is there already and says something else: {string.Join(", ", conflicts)}",
                "--force changes these keys, keeps the others, and leaves the old file beside it as .bak; or name another file with --config");
        }

        if (found.Length > 0)
        {
            say("agent", found);
        }

        return (keys, !JsonNode.DeepEquals(keys, present) || !File.Exists(request.ConfigFile));
    }

    private async Task<string> TokenAsync(CancellationToken token)
    {
        var present = SetupFiles.ReadToken(request.TokenFile);
        if (request.Token is { } given)
        {
            await RequireOwnAsync(given, "the token of --token-file", token);
            if (given != present)
            {
                Replace(present, given);
            }

            return Took(given, "given", $"the given token is {request.AgentId}'s; it is in {request.TokenFile}");
        }

        if (present is not null && !(request.Force && request.Key is not null && await desk.OwnerOfAsync(present, token) != request.AgentId))
        {
            await RequireOwnAsync(present, $"the token in {request.TokenFile}", token);
            return Took(present, "kept", $"{request.AgentId} is registered and its token is in {request.TokenFile}");
        }

        var made = await desk.RegisterAsync(request.Key ?? throw new UsageKeyMissing(), token);
        CrashPoints.At(CrashPointName.SetupRegistered);
        Replace(present, made);
        return Took(made, "registered", $"registered {request.AgentId} at {request.Hub}; its token is in {request.TokenFile}");
    }

    private void Replace(string? present, string made)
    {
        if (present is not null)
        {
            SetupFiles.WriteToken(SetupFiles.FreeName($"{request.TokenFile}.bak"), present);
        }

        SetupFiles.WriteToken(request.TokenFile, made);
    }

    private string Took(string secret, string how, string words)
    {
        File.SetUnixFileMode(request.TokenFile, UnixFileMode.UserRead | UnixFileMode.UserWrite); // Whoever wrote it.
        Report = Report with { Token = how };
        say("token", words);
        return secret;
    }

    private async Task RequireOwnAsync(string secret, string what, CancellationToken token)
    {
        var owner = await desk.OwnerOfAsync(secret, token);
        if (owner != request.AgentId)
        {
            throw new SidecarException(owner is null ? $"the hub does not accept {what}" : $"{what} is that of agent {Printable.Cut(owner, 140)}, not of {request.AgentId}",
                "give the agent's own token with --token-file FILE; or --force with --enrol registers anew and keeps the old token as .bak");
        }
    }

    private async Task StartAsync(string? unit, CancellationToken token)
    {
        if (unit is null)
        {
            say("daemon", $"no service manager runs it here; start it with: fleet-sidecar run --config {request.ConfigFile}");
            return;
        }

        say("daemon", $"restarting {unit}");
        Report = Report with { Unit = unit };
        if ((IsInstance(unit) ? await units.EnableAsync(unit, token) : null) is { } refused)
        {
            throw new SidecarException(refused, "enable it by hand; then run setup again");
        }

        if (await units.RestartAsync(unit, token) is { } complaint)
        {
            throw new SidecarException(complaint, $"'journalctl -u {unit} -n 20' says why; then run setup again");
        }
    }
}

/// <summary>A key is needed and none was given. Exit code 64.</summary>
internal sealed class UsageKeyMissing() : SidecarException("the agent is not registered here yet and no enrolment key was given",
    "--enrol @FILE or --enrol - (standard input); the hub's operator makes a key with 'fleet-hub token create NAME --role enrol'");
