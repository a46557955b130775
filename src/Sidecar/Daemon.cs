using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Drain;
using FleetSidecar.Forge;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Ground.Systemd;
using FleetSidecar.Identity;
using FleetSidecar.Link;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;
using FleetSidecar.Reload;
using FleetSidecar.Retention;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using FleetSidecar.Supervise;
using FleetSidecar.Workspaces;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>Puts the daemon together and runs it: open the store, read what the last process left, start the loops, say READY.</summary>
internal static partial class Daemon
{
    // Outbox 5 s, loops 2 s, and room; the unit's TimeoutStopSec is above it. See the table in ARCHITECTURE.md.
    private static readonly TimeSpan ShutdownBudget = TimeSpan.FromSeconds(9);

    public static async Task<int> RunAsync(ConfigOrigin origin, ReloadRequests reloads, SecondSignal signals, CancellationToken stopping)
    {
        var config = origin.Load();
        var time = TimeProvider.System;
        OwnModes.Restore(config);
        using var directory = StoreHolders.Take(config);
        var reserve = new StoreReserve(Path.Combine(config.StateDirectory, "reserve"));
        await using var agents = await HeldAgents.HoldIfNeededAsync(config, reserve, new ToolRunner(time));
        reserve.GiveUpIfFull(inodesToo: true); // A start needs a little of the disk; without one nobody would stop who has filled it.
        var starts = new StartBook(config, time);
        await StartPause.TakeAsync(config, starts, time, stopping);
        MakeDirectories(config);

        // Connection and store know nothing of each other. What the hub must hear first, whether the store was damaged, is known
        // once both are there; the rest of the daemon is put together while the hub answers.
        var redactor = new Redactor();
        new KnownSecrets(config, redactor).Learn();
        var dialer = new Dialer(config, new TokenFile(config.Hub, redactor), redactor, time);
        dialer.StartEarly();
        var opened = StoreHolders.Open(config, () => StoreFile.Open(config.DatabaseFile, RunStore.ApplicationId, Migrations.From(typeof(Daemon).Assembly), time));
        using var store = opened.Store;
        if (agents is not null)
        {
            store.ClaimRoom(StoreReserve.Bytes / 4); // What it had from before it has still; the rest is shared.
            reserve.TakeBack();
            await agents.DisposeAsync();
        }

        dialer.IdentifyEarly(LinkLoop.StatusWord(opened.DamagedFile));
        using var host = Build(config, starts, origin, reloads, opened, reserve, dialer, redactor, time);
        await StartAsync(host.Services, opened, config, time);
        await host.StartAsync(stopping);
        signals.HostListens = true;
        host.Services.GetRequiredService<Notifier>().Ready($"agent {config.Agent.Id}");
        await host.WaitForShutdownAsync(CancellationToken.None);
        return host.Services.GetRequiredService<Verdict>().ExitCode;
    }

    private static void MakeDirectories(SidecarConfig config)
    {
        StateModes.Set(config);
        foreach (var path in new[] { config.RunsDirectory, config.ResultsDirectory })
        {
            if (path == config.RunsDirectory || config.IsOwnPlace(path))
            {
                ClearPlace.For(path);
            }
            else if (PathFacts.Of(path) is not null && !Directory.Exists(path))
            {
                throw new ConfigurationException($"agent.resultsDirectory: {path} exists and is no directory", "remove it if nobody needs it, or name another path");
            }

            Directory.CreateDirectory(path);
        }

        if (config.LogFile.Length > 0)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(config.LogFile)!);
        }
    }

    private static async Task StartAsync(IServiceProvider services, OpenedStore opened, SidecarConfig config, TimeProvider time)
    {
        var log = services.GetRequiredService<ILoggerFactory>().CreateLogger("FleetSidecar.Daemon");
        LogStarting(log, ProgramVersion.Text, config.Agent.Id, config.StateDirectory);
        if (opened.DamagedFile is { } damaged)
        {
            LogStoreDamaged(log, damaged);

            await services.GetRequiredService<RunStore>().AddIncidentAsync(new Incident
            {
                Code = "store_damaged", Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds(), Detail = $"the store was damaged and moved to {damaged}",
            });
        }

        if (services.GetRequiredService<IAgentHost>().LostGuarantees is { Length: > 0 } lost)
        {
            LogGuaranteesLost(log, lost);
        }

        await services.GetRequiredService<SyncLoop>().RecoverAsync();
        services.GetRequiredService<SafeMode>().Begin();
        // One row that somebody spoilt must not cost all the others, or the daemon.
        foreach (var run in await services.GetRequiredService<RunStore>().SetUnreadableAsideAsync(time.GetUtcNow().ToUnixTimeMilliseconds()))
        {
            LogRunUnreadable(log, run);
        }

        services.GetRequiredService<WorkspaceKeeper>().Begin();
        services.GetRequiredService<RetentionLoop>().Begin();
        services.GetRequiredService<SelfTestLoop>().Begin();
        services.GetRequiredService<HeartbeatSource>().SelfTest = services.GetRequiredService<SelfTestLoop>().Report;
        await services.GetRequiredService<RunLoop>().LoadAsync();
        foreach (var name in await services.GetRequiredService<IAgentHost>().StopUnknownAsync(services.GetRequiredService<RunLoop>().Snapshot))
        {
            LogOrphanStopped(log, name);
        }

        FreeSlots(services.GetRequiredService<AgentSlots>(), services.GetRequiredService<RunLoop>(), config);
        _ = Task.Run(services.GetRequiredService<StepLeftovers>().Sweep, CancellationToken.None); // The first step waits for it; the start does not.
        services.GetRequiredService<ControlServer>().Open();
    }

    private static void FreeSlots(AgentSlots slots, RunLoop runs, SidecarConfig config)
    {
        if (config.AgentsInUnits)
        {
            // A look that a crash left is found by its claim, and stopped by the next look.
            var keep = () => slots.KeepOnly(runs.Snapshot.Where(run => run.TakesSlot).Select(run => run.Id).Append(UnitTool.SelfTest).ToHashSet());
            keep();
            runs.Ended += keep;
        }
    }

    private static IHost Build(SidecarConfig config, StartBook starts, ConfigOrigin origin, ReloadRequests reloads, OpenedStore opened, StoreReserve reserve, Dialer dialer, Redactor redactor, TimeProvider time)
    {
        // Empty: the default host reads settings we do not have and watches the directory it was started in.
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ContentRootPath = AppContext.BaseDirectory });
        var threshold = new LogThreshold(Enum.Parse<LogLevel>(config.Log.Level));
        builder.Logging.AddFleetLogs(redactor, config.LogFile.Length == 0 ? null : config.LogFile, threshold, "fleet-sidecar", config.Agent.Id);
        var services = builder.Services;
        services.Configure<HostOptions>(options =>
        {
            options.ShutdownTimeout = ShutdownBudget;
            options.ServicesStopConcurrently = true;
        });
        services.AddSingleton(config).AddSingleton(config.Hub).AddSingleton(config.Wake).AddSingleton(config.Workspace);
        services.AddSingleton(origin).AddSingleton(reloads).AddSingleton(threshold);
        services.AddSingleton(time).AddSingleton(starts).AddSingleton(redactor).AddSingleton(dialer);
        services.AddSingleton(_ => opened.Store).AddSingleton(new StoreHealth(opened.DamagedFile));
        services.AddSingleton(Notifier.FromEnvironment()).AddSingleton<Verdict>();
        services.AddSingleton<ProcessWatch>().AddSingleton<ToolRunner>();
        services.AddSingleton<Git>().AddSingleton<Mirrors>().AddSingleton<Clones>().AddSingleton<Fences>();
        services.AddSingleton<PushForesight>();
        services.AddSingleton<Preparation>().AddSingleton<Delivery>().AddSingleton<Rescue>().AddSingleton<LostMarks>().AddSingleton<CommitCheck>();
        services.AddSingleton<Origin>();
        services.AddSingleton<StepLeftovers>().AddSingleton<StepCommand>().AddSingleton<StepChecks>().AddSingleton<Verification>().AddSingleton<PullRequests>();
        services.AddSingleton(reserve).AddSingleton<ResultFiles>().AddSingleton<Berths>().AddSingleton<AgentLauncher>().AddSingleton<AgentSlots>(_ => new AgentSlots(config)).AddSingleton<AgentUnits>().AddSingleton<RunModes>().AddSingleton<UnitStart>().AddSingleton<AgentQuestions>().AddSingleton<UnitTool>();
        _ = config.AgentsInUnits ? services.AddSingleton<IAgentHost, UnitHost>() : services.AddSingleton<IAgentHost, DetachedHost>();
        services.AddSingleton<Availability>().AddSingleton<DiskFloor>().AddSingleton<SafeMode>().AddSingleton<IntakeControl>();
        services.AddSingleton(all => new AliveFile(config.StateDirectory, () => all.GetRequiredService<RunLoop>().Intake, time));
        services.AddSingleton<AgentSigns>().AddSingleton<AgentEnds>().AddSingleton<AgentWatcher>();
        services.AddSingleton<RunStore>().AddSingleton<RunOrders>().AddSingleton<OutboxQueue>();
        services.AddSingleton<HeartbeatSource>().AddSingleton<HubInbox>();
        services.AddSingleton<OperatorVerbs>().AddSingleton<MemberVerbs>().AddSingleton<ControlHandler>();
        services.AddSingleton<TokenFile>().AddSingleton<KnownSecrets>();
        services.AddSingleton<ICheck, HubCheck>().AddSingleton<ICheck, StoreCheck>().AddSingleton<ICheck, WakeCheck>().AddSingleton<ICheck, GitCheck>()
            .AddSingleton<ICheck>(all => all.GetRequiredService<DiskFloor>()).AddSingleton<ICheck, TokenCheck>().AddSingleton<ICheck, CredentialCheck>().AddSingleton<ICheck, ResolverCheck>()
            .AddSingleton<ICheck>(all => all.GetRequiredService<IdentityCheck>()).AddSingleton<ICheck, RunsCheck>();
        services.AddSingleton<IdentitySync>().AddSingleton<IdentityCheck>();
        services.AddSingleton<MemberHome>().AddSingleton<SilentServers>().AddSingleton<MemberProcesses>().AddSingleton<MemberTurn>();
        services.AddSingleton<IMemberKind, ProcessMember>().AddSingleton<IMemberKind, TmuxMember>().AddSingleton<IMemberKind, UnitMember>();
        services.AddSingleton(all => new ColdMirrors(config, () => all.GetRequiredService<RunLoop>().Snapshot.Any(run => run.Assignment.Repo is not null), all.GetRequiredService<ToolRunner>()));
        services.AddSingleton<RetentionStore>().AddSingleton<RunDirectories>().AddSingleton<Displaced>().AddSingleton<RetentionPass>();
        services.AddHostedService<Farewell>();
        services.AddDaemonLoops();
        return builder.Build();
    }

    [LoggerMessage(EventIds.Starting, LogLevel.Information, "fleet-sidecar {Version} starting for agent {Agent}, state in {Directory}", EventName = "Starting")]
    private static partial void LogStarting(ILogger log, string version, string agent, string directory);

    [LoggerMessage(EventIds.GuaranteesLost, LogLevel.Information, "no units for agents here: {Lost}; the packages bring them, see docs/security.md", EventName = "GuaranteesLost")]
    private static partial void LogGuaranteesLost(ILogger log, string lost);

    [LoggerMessage(EventIds.StoreDamaged, LogLevel.Error, "the store was damaged and is now at {File}; begun anew, the hub is told, and tasks that it still counts as ours come again", EventName = "StoreDamaged")]
    private static partial void LogStoreDamaged(ILogger log, string file);

    [LoggerMessage(EventIds.RunUnreadable, LogLevel.Error, "the store's row of {Run} cannot be read; set aside, its agent is ended, the hub is told and the task comes again", EventName = "RunUnreadable")]
    private static partial void LogRunUnreadable(ILogger log, string run);

    [LoggerMessage(EventIds.OrphanStopped, LogLevel.Warning, "{Process} belongs to a run that the store does not know; ending it, because its task may be given out again. What it left is rescued", EventName = "OrphanStopped")]
    private static partial void LogOrphanStopped(ILogger log, string process);
}
