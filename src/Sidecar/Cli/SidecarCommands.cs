using System.ComponentModel.DataAnnotations;
using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Deadman;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Reload;

namespace FleetSidecar.Cli;

/// <summary>The verbs of <c>fleet-sidecar</c>. Each is a few lines: read the options, ask the daemon, print.</summary>
internal static class SidecarCommands
{
    private static readonly Option<string> Config = new("--config", "-c")
    {
        Description = "Configuration file", DefaultValueFactory = _ => ConfigLoader.DefaultPath, HelpName = "FILE",
    };

    private static readonly Option<string[]> Set = new("--set") { Description = "Override one key, for example --set hub.url=ws://127.0.0.1:7070/ws", HelpName = "KEY=VALUE" };

    /// <summary>Option of <c>run</c> that the packaged unit gives.</summary>
    public const string WaitForSetup = "--wait-for-setup";

    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON" };

    public static RootCommand Root()
    {
        var root = new RootCommand("Keeps an AI coding agent on this machine alive, honest and recoverable.\n\n"
            + "Examples:\n  fleet-sidecar run --config /etc/fleet-sidecar/sidecar.json\n  fleet-sidecar status\n  fleet-sidecar logs task-0123456789abcdef --follow");
        root.Add(Run());
        root.Add(SetupCommand.Create(Config, Json));
        root.Add(Status());
        root.Add(Runs());
        root.Add(LogsCommand.Create(Config, Set));
        root.Add(WorkspacesCommand.Create(Config, Set, Json));
        root.Add(DoctorCommand.Create(Config, Set, Json));
        root.Add(DeadmanCommand.Create(Config));
        root.Add(ReloadCommand.Create(Config, Set, Json));
        root.Add(IntakeCommands.Pause(Config, Set));
        root.Add(IntakeCommands.Drain(Config, Set, TimeProvider.System));
        root.Add(IntakeCommands.Resume(Config, Set));
        root.Add(GateCommands.Create(Config, Set, Json));
        root.Add(IdentityCommands.Create(Config, Set, Json));
        root.Add(SyncCommands.Sync(Config, Set, Json));
        root.Add(SyncCommands.Contacts(Config, Set, Json));
        root.Add(SuperviseCommands.Create(Config, Set, Json));
        root.Add(TaskCommands.Create());
        root.Add(AgentTurnCommand.Create());
        root.Add(ConfigCommand());
        SelfDescription.AddTo(root, "fleet-sidecar", ProgramVersion.Text, SidecarManual.Notes);
        return root;
    }

    public static SidecarConfig Load(ParseResult arguments) => ConfigLoader.Load(arguments.GetValue(Config)!, arguments.GetValue(Set) ?? []);

    private static Command Run()
    {
        var command = new Command("run", "Run the daemon in the foreground, as systemd does. SIGTERM stops it; agents keep working.\n\nExample:\n  fleet-sidecar run --config /etc/fleet-sidecar/sidecar.json") { Config, Set };
        var points = new Option<bool>("--crash-points") { Description = "For tests: read FLEET_CRASH_POINT", Hidden = true };
        var wait = new Option<bool>(WaitForSetup) { Description = "Where the configuration does not exist yet, say so and wait for it instead of ending with 78" };
        command.Add(points);
        command.Add(wait);
        command.SetAction((arguments, token) =>
        {
            if (arguments.GetValue(wait) && SetupWait.IsFor(arguments.GetValue(Config)!))
            {
                return SetupWait.RunAsync(arguments.GetValue(Config)!);
            }

            if (arguments.GetValue(points))
            {
                CrashPoints.Arm();
            }

            return RunAsync(new ConfigOrigin(arguments.GetValue(Config)!, arguments.GetValue(Set) ?? []), token);
        });
        return command;
    }

    private static async Task<int> RunAsync(ConfigOrigin origin, CancellationToken token)
    {
        using var reloads = new ReloadRequests();
        using var signals = new SecondSignal();
        return await Daemon.RunAsync(origin, reloads, signals, token);
    }

    private static Command Status()
    {
        var command = new Command("status", "Show the link to the hub, the store and what runs. Exit code 69 where no daemon answers; what the dead man's switch knows is printed then, too.\n\nExample:\n  fleet-sidecar status --json") { Config, Set, Json };
        command.SetAction(async (arguments, token) =>
        {
            var status = await StatusAsync(arguments, token);
            Terminal.Write(arguments.GetValue(Json)
                ? JsonSerializer.Serialize(status, ControlJson.Pretty.StatusView) + "\n"
                : Output.Status(status, TimeProvider.System.GetUtcNow()));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static async Task<StatusView> StatusAsync(ParseResult arguments, CancellationToken token)
    {
        try
        {
            return (await AskAsync(arguments, new ControlRequest { Verb = "status" }, token)).Status!;
        }
        catch (Exception fault) when (fault is DaemonUnavailableException or ConfigurationException)
        {
            // Somebody may be at it already, and a broken configuration is one of the reasons.
            if (Deadman(arguments) is { } deadman)
            {
                Terminal.Write(arguments.GetValue(Json) ? JsonSerializer.Serialize(new DeadView(deadman), ControlJson.Pretty.DeadView) + "\n" : Output.Deadman(deadman));
            }

            throw;
        }
    }

    // What root does not believe is not told either.
    private static DeadmanState? Deadman(ParseResult arguments)
    {
        var file = arguments.GetValue(Config)!;
        try
        {
            return DeadmanMemory.Of(file, DeadmanScene.Of(file, null, arguments.GetValue(Set) ?? []).Config.StateDirectory).Read();
        }
        catch (ConfigurationException)
        {
            return null;
        }
    }

    private static Command Runs()
    {
        var command = new Command("runs", "List the newest runs of this machine, settled ones too.\n\nExample:\n  fleet-sidecar runs --json") { Config, Set, Json };
        command.SetAction(async (arguments, token) =>
        {
            var runs = (await AskAsync(arguments, new ControlRequest { Verb = "runs" }, token)).Runs!;
            Terminal.Write(arguments.GetValue(Json)
                ? JsonSerializer.Serialize(runs, ControlJson.Pretty.IReadOnlyListRunView) + "\n"
                : runs.Count == 0 ? "no runs yet\n" : Output.Runs(runs, TimeProvider.System.GetUtcNow()));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command ConfigCommand()
    {
        var validate = new Command("validate", "Check the configuration. Exit code 78 and one line where it is wrong.\n\nExample:\n  fleet-sidecar config validate --config ./sidecar.json") { Config, Set };
        validate.SetAction(arguments =>
        {
            Load(arguments);
            Terminal.Write($"{arguments.GetValue(Config)}: ok\n");
            return ExitCodes.Ok;
        });
        var show = new Command("show", "Print the configuration in force, defaults included.") { Config, Set };
        show.SetAction(arguments =>
        {
            Terminal.Write(JsonSerializer.Serialize(Load(arguments), ConfigJson.Default.SidecarConfig) + "\n");
            return ExitCodes.Ok;
        });
        var schema = new Command("schema", "Print a JSON Schema of the configuration, for editors.");
        schema.SetAction(_ =>
        {
            var node = ConfigJson.Default.SidecarConfig.GetJsonSchemaAsNode(new JsonSchemaExporterOptions { TransformSchemaNode = NameTheWords }).AsObject();
            node.Insert(0, "$schema", JsonValue.Create("https://json-schema.org/draft/2020-12/schema"));
            Terminal.Write(node.ToJsonString(ConfigJson.Default.Options) + "\n");
            return ExitCodes.Ok;
        });
        return new Command("config", "Check, show, describe or import the configuration.") { validate, show, schema, ImportCommand.Create(Json) };
    }

    private static JsonNode NameTheWords(JsonSchemaExporterContext context, JsonNode node)
    {
        if (context.PropertyInfo?.AttributeProvider?.GetCustomAttributes(typeof(AllowedValuesAttribute), inherit: false) is [AllowedValuesAttribute words])
        {
            node["enum"] = new JsonArray([.. words.Values.Select(word => JsonValue.Create((string)word!))]);
        }

        return node;
    }

    // A daemon that runs is asked also where its files have become wrong since: it is the one that can say so.
    private static string SocketOf(ParseResult arguments)
    {
        try
        {
            return Load(arguments).SocketFile;
        }
        catch (ConfigurationException)
        {
            if (ConfigLoader.WhatIsReadable(arguments.GetValue(Config)!).SocketFile is var socket && File.Exists(socket))
            {
                return socket;
            }

            throw;
        }
    }

    public static async Task<ControlResponse> AskAsync(ParseResult arguments, ControlRequest request, CancellationToken token)
    {
        var response = await ControlClient.AskAsync(SocketOf(arguments), request, token);
        return response.Ok ? response : throw new SidecarException(response.Error!, response.Hint!);
    }
}
