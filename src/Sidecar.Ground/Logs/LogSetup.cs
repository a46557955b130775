using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Serilog.Extensions.Logging;

namespace FleetSidecar.Ground.Logs;

/// <summary>Where log lines go: standard output for the journal first, a rolling file beside it for support bundles.</summary>
public static class LogSetup
{
    public static ILoggingBuilder AddFleetLogs(this ILoggingBuilder logs, Redactor redactor, string? file, LogLevel minimum) => logs.AddFleetLogs(redactor, file, new LogThreshold(minimum));

    public static ILoggingBuilder AddFleetLogs(this ILoggingBuilder logs, Redactor redactor, string? file, LogThreshold threshold)
    {
        logs.SetMinimumLevel(LogLevel.Trace);
        logs.AddFilter((_, level) => level >= threshold.Level); // Asked for every line, so that a change takes effect at once.
        logs.AddFilter("Microsoft", LogLevel.Warning);
        logs.AddFilter("System", LogLevel.Warning);
        logs.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // A failed start is reported by the program itself, in one line.
        logs.Services.AddSingleton<ConsoleFormatter>(new JournalFormatter(redactor));
        logs.AddConsole(console =>
        {
            console.FormatterName = JournalFormatter.FormatterName;

            // A journal that does not read must cost log lines, not a loop.
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
        if (file is not null)
        {
            logs.Services.AddSingleton<ILoggerProvider>(_ => new SerilogLoggerProvider(BundleFile.Open(file, redactor), dispose: true));
        }

        return logs;
    }
}
