using System.Text;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Configuration;

/// <summary>What is wrong with one key and what to do about it.</summary>
internal sealed record ConfigProblem(string Key, string Complaint, string Hint);

/// <summary>The rules that the form of the values does not express.</summary>
internal static class ConfigRules
{
    // sockaddr_un.sun_path holds 108 bytes with the final NUL; see unix(7).
    private const int LongestSocketPath = 107;
    // Filled in, this still fits into an empty pipe (64 KiB): the order is written by the run loop, and a recorder that somebody
    // stopped must not hold the loop up.
    private const int LongestCommand = 4_096, LongestCapabilities = 2_048;
    private static readonly string[] OfTheShell = ["_", "ENV", "IFS", "LINENO", "OLDPWD", "OPTARG", "OPTIND", "PPID", "PS1", "PS2", "PS4", "PWD"];

    public static ConfigProblem? FirstProblem(SidecarConfig config) =>
        Problems(config).Concat(ProfileProblems(config.Wake)).Concat(DeliveryRules.Problems(config)).Concat(IdentityProblems.In(config)).Concat(SuperviseProblems.In(config.Supervise)).Concat(AlertProblems.In(config.Alerts)).Concat(RetentionProblems.In(config.Retention)).FirstOrDefault();

    private static IEnumerable<ConfigProblem> Problems(SidecarConfig config)
    {
        if (!TaskIds.IsValid(config.Agent.Id))
        {
            yield return new("agent.id", "must be 1 to 128 letters, digits, '.', '_' or '-'", "use the name that 'fleet-hub token create' was given");
        }

        if (config.Agent.Capabilities.Sum(capability => (capability ?? "").Length) > LongestCapabilities)
        {
            yield return new("agent.capabilities", $"are longer than {LongestCapabilities} characters together", $"use fewer or shorter words; the hub reads {WireLimits.MaxFirstFrameBytes} bytes of a sidecar that has not identified");
        }

        if (config.Agent.MaxConcurrentRuns is < 1 or > 64)
        {
            yield return new("agent.maxConcurrentRuns", "must be 1 to 64", "start with 1");
        }

        if (!Uri.TryCreate(config.Hub.Url, UriKind.Absolute, out var url) || url.Scheme is not ("ws" or "wss") || url.UserInfo.Length > 0)
        {
            yield return new("hub.url", "must be a ws:// or wss:// address without a user name", "for example ws://127.0.0.1:7070/ws");
        }

        if (config.Hub.Proxy is { } proxy && TunnelProxy.Complaint(proxy, url?.Scheme == "wss") is { } useless)
        {
            yield return new("hub.proxy", useless.Complaint, useless.Hint);
        }

        if (config.Hub.ProxyCredentialsFile is { } credentials && (config.Hub.Proxy is null || credentials.Length == 0))
        {
            yield return new("hub.proxyCredentialsFile", "is for hub.proxy, and must name a file", "name the proxy in hub.proxy, or leave both out");
        }

        if (config.Hub.TokenFile.Length == 0)
        {
            yield return new("hub.tokenFile", "is missing", "write the token alone into a file that only the service user can read, and name it here");
        }

        if (config.Hub.ProtocolVersion is < 1 or > 2)
        {
            yield return new("hub.protocolVersion", "must be 1 or 2", "leave it out");
        }

        if (!Path.IsPathFullyQualified(config.StateDirectory) || config.StateDirectory.Any(char.IsControl))
        {
            yield return new("stateDirectory", "must be an absolute path", "for example /var/lib/fleet-sidecar");
        }
        else if (config.AgentsInUnits && !PackagePaths.IsState(config.StateDirectory))
        {
            yield return new("stateDirectory", $"is {config.StateDirectory}, where the units of agents cannot see their run (they look below {PackagePaths.State}), so no agent would start",
                $"leave it at {PackagePaths.State} ({PackagePaths.State}-instances/NAME for one of several) and mount another disk there, or set agent.launcher to process");
        }

        if (Encoding.UTF8.GetByteCount(config.SocketFile) > LongestSocketPath)
        {
            yield return new("control.socket", $"is longer than {LongestSocketPath} bytes ({config.SocketFile})", "set control.socket to a shorter path, for example in /run");
        }

        foreach (var (name, path) in new[] { ("agent.resultsDirectory", config.Agent.ResultsDirectory), ("control.socket", config.Control.Socket), ("log.file", config.Log.File is { Length: 0 } ? null : config.Log.File) })
        {
            if (path is not null && !Path.IsPathFullyQualified(path))
            {
                yield return new(name, "must be an absolute path", "leave it out, or write the whole path");
            }
        }

        if (config.Log.Level is not ("Debug" or "Information" or "Warning" or "Error"))
        {
            yield return new("log.level", "must be Debug, Information, Warning or Error", "leave it out");
        }

        if (config.SafeMode.Starts is < 0 or > 100)
        {
            yield return new("safeMode.starts", "must be 0 to 100", "leave it out, or 0 for no safe mode");
        }

        if (config.Workspace.Credentials.Select(CredentialHelper.Complaint).FirstOrDefault(complaint => complaint is not null) is { } complaint)
        {
            yield return new("workspace.credentials", complaint, "for example { \"url\": \"https://git.example\", \"tokenFile\": \"/etc/fleet-sidecar/git-token\" }");
        }

        if (new[] { config.Workspace.AuthorName, config.Workspace.AuthorEmail }.Any(text => text is not null && (text.Trim().Length == 0 || text.Any(letter => letter is '<' or '>' || char.IsControl(letter)))))
        {
            yield return new("workspace.authorName", "and authorEmail must not be empty or hold '<', '>' or line breaks", "leave them out");
        }

        if (config.SelfTest.DiskFloorBytes < 0 || config.SelfTest.DiskFloorInodes < 0)
        {
            yield return new("selfTest.diskFloorBytes", "and diskFloorInodes must not be negative", "leave them out");
        }

        if (config.SelfTest.Credentials.Any(credential => credential is null || !Path.IsPathFullyQualified(credential.File) || credential.ExpiresAt.Length == 0))
        {
            yield return new("selfTest.credentials", "needs an absolute file and expiresAt in each entry", "for example { \"file\": \"/home/iris/.claude/.credentials.json\", \"expiresAt\": \"claudeAiOauth.expiresAt\" }");
        }

        foreach (var (name, value, least, most) in Durations(config))
        {
            if (value < least || value > most)
            {
                yield return new(name, $"must be between {least} and {most}", "write it as \"hh:mm:ss\"");
            }
        }
    }

    private static IEnumerable<(string Name, TimeSpan Value, TimeSpan Least, TimeSpan Most)> Durations(SidecarConfig config)
    {
        var instant = TimeSpan.FromMilliseconds(100);
        yield return ("hub.heartbeatInterval", config.Hub.HeartbeatInterval, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10));
        yield return ("hub.pongTimeout", config.Hub.PongTimeout, instant, TimeSpan.FromMinutes(2));
        yield return ("hub.connectTimeout", config.Hub.ConnectTimeout, instant, TimeSpan.FromMinutes(2));
        yield return ("hub.refusedInterval", config.Hub.RefusedInterval, instant, TimeSpan.FromHours(1));
        yield return ("hub.stableAfter", config.Hub.StableAfter, TimeSpan.Zero, TimeSpan.FromHours(1));
        yield return ("workspace.gitTimeout", config.Workspace.GitTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        yield return ("workspace.keepFor", config.Workspace.KeepFor, TimeSpan.Zero, TimeSpan.FromDays(90));
        yield return ("selfTest.interval", config.SelfTest.Interval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        yield return ("selfTest.clockSkew", config.SelfTest.ClockSkew, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        yield return ("safeMode.within", config.SafeMode.Within, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        yield return ("safeMode.healthyAfter", config.SafeMode.HealthyAfter, instant, TimeSpan.FromHours(1));
        yield return ("safeMode.leaveAfter", config.SafeMode.LeaveAfter, instant, TimeSpan.FromDays(1));
        foreach (var (name, value) in config.Deadlines.All)
        {
            yield return ($"deadlines.{name}", value, name is "firstActivity" or "idle" ? TimeSpan.Zero : instant, TimeSpan.FromDays(7));
        }
    }

    private static IEnumerable<ConfigProblem> ProfileProblems(WakeOptions wake)
    {
        if (wake.Profiles.Contains(null!))
        {
            yield return new("wake.profiles", "holds null", "write each profile as { \"name\": …, \"command\": […] }");
            yield break;
        }

        if (wake.Profiles.Count == 0)
        {
            yield return new("wake.profiles", "is empty", "name at least one command that wakes the agent");
        }

        for (var index = 0; index < wake.Profiles.Count; index++)
        {
            var (profile, key) = (wake.Profiles[index], $"wake.profiles[{index}]");
            if (profile.Name.Length is 0 or > 64 || !profile.Name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
            {
                yield return new($"{key}.name", "must be 1 to 64 letters, digits or '-'", "for example main");
            }

            if (wake.Profiles.Take(index).Any(other => other.Name == profile.Name))
            {
                yield return new($"{key}.name", $"'{profile.Name}' is taken by another profile", "choose another name");
            }

            if (profile.Mode is not (WakeMode.Run or WakeMode.Signal))
            {
                yield return new($"{key}.mode", $"must be {WakeMode.Run} or {WakeMode.Signal}", "leave it out where the command is the agent's whole turn");
            }

            if (profile.Network is not (NetworkPolicy.All or NetworkPolicy.None or NetworkPolicy.List))
            {
                yield return new($"{key}.network", $"must be {NetworkPolicy.All}, {NetworkPolicy.None} or {NetworkPolicy.List}", "leave it out where the agent may reach everything");
            }
            else if (profile.Network != NetworkPolicy.All && (profile.Mode == WakeMode.Signal || profile.WorksElsewhere))
            {
                yield return new($"{key}.network", $"'{profile.Network}' does not reach an agent that works in a program of its own", "bound that program's own unit, or use mode run (OpenClaw: via exec)");
            }

            if (profile.Completion is not (CompletionEvidence.Report or CompletionEvidence.ExitCode))
            {
                yield return new($"{key}.completion", $"must be {CompletionEvidence.Report} or {CompletionEvidence.ExitCode}", "leave it out where the agent reports its end itself");
            }

            if (profile.OpenClaw is { Via: not (OpenClawVia.Gateway or OpenClawVia.Agent or OpenClawVia.Exec) })
            {
                yield return new($"{key}.openClaw.via", $"must be {OpenClawVia.Gateway}, {OpenClawVia.Agent} or {OpenClawVia.Exec}", "leave it out");
            }

            if (AgentAdapters.Find(profile.Adapter) is not { } adapter)
            {
                yield return new($"{key}.adapter", $"'{Printable.Cut(profile.Adapter, 40)}' is not known", $"this version knows: {string.Join(", ", AgentAdapters.Names)}");
            }
            else if (adapter.Check(profile) is { } problem)
            {
                yield return new($"{key}.{problem.Key}", problem.Complaint, problem.Hint);
            }

            if (profile.Proof is { } proof && !WakeLevels.Provable.Contains(proof))
            {
                yield return new($"{key}.proof", $"'{Printable.Cut(proof, 40)}' is not a wake level", $"use one of {string.Join(", ", WakeLevels.Provable)}, or leave it out");
            }
            else if (profile.Proof is { } wanted && AgentAdapters.Find(profile.Adapter)?.HighestLevel(profile) is { } highest && !WakeLevels.Reaches(highest, wanted))
            {
                yield return new($"{key}.proof", $"'{wanted}' is more than {profile.Adapter} can prove in this mode ({highest})", "ask for less, or leave it out");
            }

            if (profile.Command.Count == 0 || profile.Command.Any(word => word is null) || !Path.IsPathFullyQualified(profile.Command[0]))
            {
                yield return new($"{key}.command", "must begin with the absolute path of a program", "for example [\"/usr/local/bin/my-agent\", \"--task\", \"{taskFile}\"]");
            }

            if (profile.Command.Any(part => part is null || part.AsSpan().ContainsAny('\0', '\n')) || profile.Command.Sum(part => part?.Length ?? 0) > LongestCommand)
            {
                yield return new($"{key}.command", $"holds a line break or NUL, or is longer than {LongestCommand} characters", "put long or odd texts into a script of your own");
            }

            if (profile.Environment.Keys.Concat(profile.PassEnvironment).FirstOrDefault(name => !CanBeGiven(name)) is { } odd)
            {
                yield return new($"{key}.environment", $"'{Printable.Cut(odd, 40)}' cannot be given to an agent",
                    "names are letters, digits and '_'; FLEET_…, IFS, OPTIND, PWD, PS1 and the like belong to the sidecar and the shell");
            }

            if (profile.Environment.Any(variable => variable.Value is null || variable.Value.Contains('\0', StringComparison.Ordinal)))
            {
                yield return new($"{key}.environment", "holds a value with NUL, or none", "write it as { \"NAME\": \"value\" }");
            }

            if (profile.Retries is < 0 or > 10 || profile.RetryDelay < TimeSpan.Zero || profile.RetryDelay > TimeSpan.FromMinutes(10))
            {
                yield return new($"{key}.retries", "must be 0 to 10, with a retryDelay of at most 10 minutes", "leave both out");
            }

            if (profile.MaxOutputBytes is < (1L << 20) or > (1L << 40))
            {
                yield return new($"{key}.maxOutputBytes", "must be between 1 MiB (1048576) and 1 TiB", "leave it out");
            }

            if (profile.AliveFor < TimeSpan.Zero || profile.AliveFor > TimeSpan.FromMinutes(5))
            {
                yield return new($"{key}.aliveFor", "must be at most 5 minutes", "leave it out");
            }
        }
    }

    // The recorder is a shell: what is no name to it is dropped, and what means something to it changes or breaks it.
    private static bool CanBeGiven(string name) =>
        name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
        && !name.StartsWith("FLEET_", StringComparison.OrdinalIgnoreCase) && !OfTheShell.Contains(name);
}
