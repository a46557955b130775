using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Serilog.Extensions.Logging;

namespace FleetSidecar.Ground.Logs;

/// <summary>Where log lines go: to journald with fields where it listens, else to standard output; and to a rolling file beside it for support bundles.</summary>
public static class LogSetup
{
    public static ILoggingBuilder AddFleetLogs(this ILoggingBuilder logs, Redactor redactor, string? file, LogThreshold threshold, string program, string? agent = null)
    {
        logs.SetMinimumLevel(LogLevel.Trace);
        logs.AddFilter((_, level) => level >= threshold.Level); // Asked for every line, so that a change takes effect at once.
        logs.AddFilter("Microsoft", LogLevel.Warning);
        logs.AddFilter("System", LogLevel.Warning);
        logs.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // A failed start is reported by the program itself, in one line.
        if (JournalSocket.IsThere)
        {
            var always = new Dictionary<string, string> { ["SYSLOG_IDENTIFIER"] = program };
            if (agent is not null)
            {
                always["FLEET_AGENT"] = agent;
            }

            logs.Services.AddSingleton<ILoggerProvider>(_ => new JournalProvider(redactor, always));
        }
        else
        {
            logs.Services.AddSingleton<ConsoleFormatter>(new JournalFormatter(redactor));
            logs.AddConsole(console =>
            {
                console.FormatterName = JournalFormatter.FormatterName;

                // A journal that does not read must cost log lines, not a loop.
                console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
            });
        }

        if (file is not null)
        {
            logs.Services.AddSingleton<ILoggerProvider>(_ => new SerilogLoggerProvider(BundleFile.Open(file, redactor), dispose: true));
        }

        return logs;
    }
}
