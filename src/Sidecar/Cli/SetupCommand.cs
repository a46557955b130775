using System.CommandLine;
using System.Text;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.Protocol;
using FleetSidecar.Setup;

namespace FleetSidecar.Cli;

/// <summary><c>setup</c>: one command from an installed program to a machine that has proved itself to the hub.</summary>
internal static class SetupCommand
{
    private const int LargestSecret = 4096;
    private const long LongestWait = 3600;

    private static readonly Option<string> Hub = new("--hub") { Description = "Address of the hub: http:// or https://", HelpName = "URL", Required = true };
    private static readonly Option<string> Agent = new("--agent") { Description = "This agent's id at the hub", HelpName = "ID", Required = true };
    private static readonly Option<string> Enrol = new("--enrol") { Description = "Enrolment key: @FILE, - for standard input, or the key itself, which others on this machine can then see", HelpName = "@FILE|-|KEY" };
    private static readonly Option<string> TokenFile = new("--token-file") { Description = "A token of this agent that is there already, in place of --enrol", HelpName = "FILE" };
    private static readonly Option<string[]> Capability = new("--capability") { Description = "What the agent can do; once for each", HelpName = "C" };
    private static readonly Option<string[]> AgentWords = new("--agent-command") { Description = "Program (absolute path) and arguments that wake the agent, once for each word; default: the first known agent program on the PATH", HelpName = "WORD" };
    private static readonly Option<string> State = new("--state") { Description = "State directory, where it is not the default", HelpName = "DIR" };
    private static readonly Option<string> Proxy = new("--proxy") { Description = "Proxy on the way to the hub, for an https:// hub only; proxies of the environment are not used", HelpName = "URL" };
    private static readonly Option<string> ProxyCredentials = new("--proxy-credentials") { Description = "File with USER:PASSWORD for --proxy, which the daemon reads too", HelpName = "FILE" };
    private static readonly Option<string> Unit = new("--unit") { Description = "The systemd unit that runs the daemon; default: the package's own for this file", HelpName = "NAME" };
    private static readonly Option<bool> Force = new("--force") { Description = "Change a configuration that says otherwise; the old one stays as .bak" };
    private static readonly Option<bool> NoTest = new("--no-test") { Description = "Write and restart only: no doctor, no task" };
    private static readonly Option<bool> WakeAgent = new("--wake-agent") { Description = "Prove it with the real agent; costs tokens" };
    private static readonly Option<string> Wait = new("--wait") { Description = "How long to wait for the daemon, and then for the task: 90s, 5m", DefaultValueFactory = _ => "90s", HelpName = "TIME" };
    private static readonly Option<bool> Points = new("--crash-points") { Description = "For tests: read FLEET_CRASH_POINT", Hidden = true };

    public static Command Create(Option<string> config, Option<bool> json)
    {
        var command = new Command("setup", "Register this machine's agent at a hub, write the configuration, start the daemon and prove it with a task that costs nothing. Can be run again after any failure.\n\n"
            + "Example:\n  fleet-sidecar setup --hub https://hub.example --enrol @enrol-key --agent iris --capability code")
            { Hub, Agent, Enrol, TokenFile, Capability, AgentWords, State, Proxy, ProxyCredentials, Unit, Force, NoTest, WakeAgent, Wait, Points, config, json };
        command.SetAction((arguments, token) => RunAsync(arguments, config, arguments.GetValue(json), token));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, Option<string> config, bool json, CancellationToken token)
    {
        if (arguments.GetValue(Points))
        {
            CrashPoints.Arm();
        }

        var request = Read(arguments, config);
        Action<string, string> say = json ? (_, _) => { } : (step, text) => Terminal.Write($"{step,-9} {text}\n");
        using var desk = new HubDesk(request);
        var steps = new SetupSteps(request, desk, new ServiceUnit(new ToolRunner(TimeProvider.System)), new SetupProving(request, desk, TimeProvider.System, say), say);
        try
        {
            await steps.RunAsync(token);
            say("done", request.Test ? $"{request.AgentId} took a task from the hub and gave it back in {steps.Report.Proof!.Seconds:0.0} s" : $"{request.AgentId} is set up; nothing was proved");
            Print(steps.Report, json);
            return ExitCodes.Ok;
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            var hint = (fault as SidecarException)?.Hint ?? "check the path and who may use it; setup of a service needs root";
            Terminal.Complain("fleet-sidecar", fault.Message, hint);
            Print(steps.Report with { Error = fault.Message, Hint = hint }, json);
            return fault switch
            {
                HubUnreachableException or DaemonUnavailableException => ExitCodes.Unavailable,
                UsageKeyMissing or UsageException => ExitCodes.Usage,
                ConfigurationException => ExitCodes.Config,
                _ => ExitCodes.Failed,
            };
        }
    }

    private static void Print(SetupReport report, bool json)
    {
        if (json)
        {
            Terminal.Write(JsonSerializer.Serialize(report, SetupJson.Default.SetupReport) + "\n");
        }
    }

    private static SetupRequest Read(ParseResult arguments, Option<string> config)
    {
        var (enrol, tokenFile, agent) = (arguments.GetValue(Enrol), arguments.GetValue(TokenFile), arguments.GetValue(Agent)!);
        if (enrol is not null && tokenFile is not null)
        {
            throw new UsageException("--enrol and --token-file exclude one another", "a token that is there needs no key");
        }

        if (arguments.GetValue(ProxyCredentials) is not null && arguments.GetValue(Proxy) is null)
        {
            throw new UsageException("--proxy-credentials is for --proxy", "name the proxy too, or leave it out");
        }

        if (arguments.GetValue(config) is { } place && place.StartsWith(PackagePaths.InstancesDirectory + "/", StringComparison.Ordinal) && PackagePaths.StateOf(Path.GetFullPath(place)) is null)
        {
            throw new UsageException($"{Printable.Cut(place, 200)} is no instance's configuration", $"{PackagePaths.InstancesDirectory}/NAME/sidecar.json, NAME of letters, digits, '_', '-', '.' and ':'");
        }

        return new SetupRequest
        {
            Hub = Address(arguments.GetValue(Hub)!),
            AgentId = TaskIds.IsValid(agent) ? agent : throw new UsageException("--agent must be 1 to 128 letters, digits, '.', '_' or '-'", "for example --agent iris"),
            ConfigFile = Path.GetFullPath(arguments.GetValue(config) is { Length: > 0 } file && !file.Contains('\0', StringComparison.Ordinal) ? file : throw new UsageException("--config names no file", "leave it out")),
            Key = enrol is null ? null : Key(enrol),
            Token = tokenFile is null ? null : Secret(OutsideFile.Read(tokenFile, LargestSecret, followLink: true), $"the file {tokenFile}"),
            Capabilities = [.. (arguments.GetValue(Capability) ?? []).Distinct()],
            AgentCommand = arguments.GetValue(AgentWords) ?? [],
            StateDirectory = arguments.GetValue(State) is { } state ? Path.GetFullPath(state) : null,
            Proxy = ReadProxy(arguments.GetValue(Proxy), arguments.GetValue(Hub)!),
            ProxyCredentialsFile = arguments.GetValue(ProxyCredentials) is { } credentials ? Path.GetFullPath(credentials) : null,
            Unit = arguments.GetValue(Unit),
            Force = arguments.GetValue(Force),
            Test = !arguments.GetValue(NoTest),
            WakeAgent = arguments.GetValue(WakeAgent),
            Wait = TimeSpan.FromSeconds(Math.Min(LongestWait, IntakeCommands.Seconds(arguments.GetValue(Wait), "--wait") ?? 0)),
        };
    }

    private static Uri Address(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" or "ws" or "wss" && url.UserInfo.Length == 0 && url.Host.Length > 0 && url.Query.Length == 0
            ? new UriBuilder(url) { Scheme = url.Scheme is "https" or "wss" ? "https" : "http", Port = url.IsDefaultPort ? -1 : url.Port, Path = url.Scheme is "ws" or "wss" && url.AbsolutePath.EndsWith("/ws", StringComparison.Ordinal) ? url.AbsolutePath[..^3] : url.AbsolutePath, Fragment = "" }.Uri
            : throw new UsageException($"--hub '{Printable.Cut(text, 100)}' is not an http:// or https:// address", "for example --hub https://hub.example");

    private static string? ReadProxy(string? given, string hub)
    {
        if (given is not null && TunnelProxy.Complaint(given, Address(hub).Scheme == Uri.UriSchemeHttps) is { } useless)
        {
            throw new UsageException($"--proxy {useless.Complaint}", useless.Hint);
        }

        return given;
    }

    private static string Key(string given)
    {
        if (given == "-")
        {
            return Secret(Terminal.ReadInput(LargestSecret), "standard input");
        }

        if (given.StartsWith('@'))
        {
            return Secret(OutsideFile.Read(given[1..], LargestSecret, followLink: true), $"the file {given[1..]}");
        }

        Terminal.Complain("fleet-sidecar", "the enrolment key stands in the command line, where every user of this machine and the shell's history can see it", "give it as --enrol @FILE or --enrol - the next time");
        return Secret(Encoding.UTF8.GetBytes(given), "--enrol");
    }

    private static string Secret(byte[]? bytes, string place)
    {
        var text = bytes is null ? "" : OutsideText.Decode(bytes).Trim();
        return text.Length is > 0 and <= WireLimits.MaxToken && !text.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)) ? text
            : throw new UsageException($"{place} cannot be read or does not hold one key or token", "put what 'fleet-hub token create' printed there, and nothing else");
    }
}
