using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using FleetHub.Agents;
using FleetHub.Api;
using FleetHub.Sockets;
using FleetHub.Tasks;
using FleetHub.Tokens;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Systemd;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FleetHub.Cli;

/// <summary><c>fleet-hub serve</c>: open the store, listen, print one line, run until asked to stop.</summary>
internal static class ServeCommand
{
    private const long LargestBody = 2 * 1024 * 1024;

    private static readonly Option<string> Listen = new("--listen") { Description = "Address to listen on", DefaultValueFactory = _ => "http://127.0.0.1:7070", HelpName = "URL" };
    private static readonly Option<string> AcceptDeadline = Duration("--accept-deadline", "How long an agent may take to accept a task", new HubOptions().AcceptDeadline);
    private static readonly Option<string> Lease = Duration("--lease", "How long a task stays with an agent that is not heard of", new HubOptions().Lease);
    private static readonly Option<string> IdleLimit = Duration("--idle-limit", "How long a connection may be silent", new HubOptions().IdleLimit);
    private static readonly Option<string[]> RetryDelays = new("--retry-delay") { Description = "Pause before a retry; give it once for each retry, the last one counts for the rest (default 0, 30 s, 2 min)", HelpName = "hh:mm:ss" };
    private static readonly Option<string[]> TrustedProxies = new("--trusted-proxy")
    {
        Description = "Address or network (CIDR) of a TLS proxy whose X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-For are believed; "
            + "may be given more than once (default none)",
        HelpName = "ADDRESS|CIDR",
    };

    private static readonly Option<bool> LocalRepositories = new("--local-repositories")
    {
        Description = "Take tasks whose repository is a directory of the machine that works on it (default: refuse them); the sidecar there must name it word for word in workspace.allowedRepositories",
    };

    public static Command Create()
    {
        var command = new Command("serve", "Run the hub. Prints one line when it accepts connections; SIGTERM ends it with exit code 0.\n\n"
            + "Example:\n  fleet-hub serve --data /var/lib/fleet-hub --listen http://127.0.0.1:7070") { HubStore.Data, Listen, AcceptDeadline, Lease, IdleLimit, RetryDelays, TrustedProxies, LocalRepositories };
        command.SetAction((arguments, token) => RunAsync(arguments.GetValue(HubStore.Data)!, arguments.GetValue(Listen)!, Options(arguments), token));
        return command;
    }

    private static async Task<int> RunAsync(string data, string listen, HubOptions options, CancellationToken token)
    {
        // The server would take a name, or a typing error, for "every interface".
        if (!Uri.TryCreate(listen, UriKind.Absolute, out var address) || address.Scheme != Uri.UriSchemeHttp || address.PathAndQuery != "/"
            || !(address.Host == "localhost" || IPAddress.TryParse(address.Host.Trim('[', ']'), out _)))
        {
            throw new UsageException($"'{listen}' is not http:// with an IP address or localhost", "for example --listen http://127.0.0.1:7070; put a TLS proxy in front for other machines");
        }

        if (HubOptionsRules.Complaint(options) is { } complaint)
        {
            throw new ConfigurationException(complaint, "raise --lease or lower --idle-limit");
        }

        // Nothing is read again while the hub runs; without this the signal, also sent when a terminal closes, would end it.
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal => signal.Cancel = true);
        HubStore.RefuseRoot(data); // Before the lock, which is a file in there.
        using var directory = DirectoryLock.Take(data);
        var opened = HubStore.Open(data);
        using var store = opened.Store;
        await using var app = Build(data, listen, options, opened);
        await app.Services.GetRequiredService<TaskQueue>().ForgiveDowntimeAsync();
        try
        {
            await app.StartAsync(token);
        }
        catch (Exception fault) when (fault is IOException or System.Net.Sockets.SocketException or InvalidOperationException)
        {
            // Another program has the port: that may pass by itself, so the service manager is to try again.
            if (fault.GetBaseException() is System.Net.Sockets.SocketException { SocketErrorCode: System.Net.Sockets.SocketError.AddressAlreadyInUse })
            {
                throw new SidecarException($"cannot listen on {listen}: {fault.Message.TrimEnd('.')}", "'ss -ltnp' names the program that has the port; stop it, or choose another one with --listen", fault);
            }

            throw new ConfigurationException($"cannot listen on {listen}: {fault.Message.TrimEnd('.')}", "choose another port with --listen, or stop what uses this one", fault);
        }

        var bound = app.Urls.First();
        await File.WriteAllTextAsync(Path.Combine(data, "address"), bound, token);
        Terminal.Write($"fleet-hub {HubVersion.Text} accepts on {bound}\n");
        Notifier.FromEnvironment().Ready(bound);
        await app.WaitForShutdownAsync(CancellationToken.None);
        return app.Services.GetRequiredService<Verdict>().ExitCode;
    }

    private static WebApplication Build(string data, string listen, HubOptions options, FleetSidecar.Ground.Storage.OpenedStore opened)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore().UseUrls(listen);
        builder.WebHost.ConfigureKestrel(Limit);
        builder.Services.AddRoutingCore();
        builder.Logging.AddFleetLogs(new Redactor(), Path.Combine(data, "logs", "hub.log"), new LogThreshold(LogLevel.Information), "fleet-hub");
        var services = builder.Services;
        services.Configure<HostOptions>(host =>
        {
            host.ShutdownTimeout = TimeSpan.FromSeconds(8);
            host.ServicesStopConcurrently = true;
        });
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, HubJson.Compact));
        services.AddSingleton(options).AddSingleton(TimeProvider.System).AddSingleton(opened.Store).AddSingleton(new HubHealth(opened.DamagedFile));
        services.AddSingleton<Verdict>().AddSingleton<TokenStore>().AddSingleton<IdentityWatch>().AddSingleton<AgentRegistry>().AddSingleton<TaskQueue>().AddSingleton<ProofTasks>();
        services.AddSingleton<MessageHandler>().AddSingleton<SidecarEndpoint>().AddSingleton<UnidentifiedConnections>().AddSingleton<FleetView>();
        services.AddHostedService<Scheduler>().AddHostedService<IdleLoop>();
        var app = builder.Build();
        if (opened.DamagedFile is { } damaged)
        {
            HubStore.ReportDamage(app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("FleetHub.Store"), damaged);
        }

        if (opened.IsOlder)
        {
            HubStore.ReportOlder(app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("FleetHub.Store"), data);
        }

        app.Use(Answers.ExplainAsync);
        app.UseWebSockets();
        TaskEndpoints.Map(app);
        FleetEndpoints.Map(app);
        OnboardEndpoints.Map(app);
        return app;
    }

    private static void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = LargestBody;
        kestrel.Limits.MaxConcurrentUpgradedConnections = 20_000;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
    }

    private static HubOptions Options(ParseResult arguments) => new()
    {
        AcceptDeadline = Read(arguments, AcceptDeadline),
        Lease = Read(arguments, Lease),
        IdleLimit = Read(arguments, IdleLimit),
        RetryDelays = arguments.GetValue(RetryDelays) is { Length: > 0 } given ? [.. given.Select(text => Parse("--retry-delay", text, TimeSpan.Zero))] : new HubOptions().RetryDelays,
        TrustedProxies = [.. (arguments.GetValue(TrustedProxies) ?? []).Select(Network)],
        LocalRepositories = arguments.GetValue(LocalRepositories),
    };

    private static IPNetwork Network(string text)
    {
        if (IPNetwork.TryParse(text, out var network))
        {
            return network;
        }

        return IPAddress.TryParse(text, out var address)
            ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
            : throw new UsageException($"--trusted-proxy '{text}' is not an address or a network",
                "for example --trusted-proxy 127.0.0.1 or --trusted-proxy 10.1.0.0/16");
    }

    private static TimeSpan Read(ParseResult arguments, Option<string> option) => Parse(option.Name, arguments.GetValue(option)!, TimeSpan.FromMilliseconds(100));

    private static TimeSpan Parse(string name, string text, TimeSpan least) =>
        text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) && value >= least && value <= TimeSpan.FromDays(7)
            ? value : throw new UsageException($"{name} '{text}' is not a duration from {least} to 7 days", "write it as hh:mm:ss, for example 00:01:00");

    private static Option<string> Duration(string name, string description, TimeSpan value) =>
        new(name) { Description = description, DefaultValueFactory = _ => value.ToString("c", CultureInfo.InvariantCulture), HelpName = "hh:mm:ss" };
}
