using System.Globalization;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Ground.Logs;

/// <summary>Log lines as journal entries: the same text as on standard output, with the task, the run and the event as fields to search by.</summary>
internal sealed class JournalProvider(Redactor redactor, IReadOnlyDictionary<string, string> always) : ILoggerProvider
{
    // What our messages call their parts, and the field that each becomes.
    private static readonly Dictionary<string, string> Fields = new()
    {
        ["Task"] = "FLEET_TASK_ID", ["Run"] = "FLEET_RUN_ID", ["Generation"] = "FLEET_GENERATION", ["Agent"] = "FLEET_AGENT",
    };

    private readonly JournalSocket _journal = new();

    public ILogger CreateLogger(string categoryName) => new Log(this, categoryName);

    public void Dispose() => _journal.Dispose();

    private void Write(string category, LogLevel level, EventId id, string text, IEnumerable<KeyValuePair<string, object?>>? parts)
    {
        var fields = new Dictionary<string, string>(always)
        {
            ["MESSAGE"] = $"{LogLine.Source(category, id)} {redactor.Clean(text)}",
            ["PRIORITY"] = JournalFormatter.Priority(level).ToString(),
        };
        if (id.Name is { } name)
        {
            fields["FLEET_EVENT"] = name;
        }

        foreach (var (part, value) in parts ?? [])
        {
            if (Fields.TryGetValue(part, out var field) && value is not null)
            {
                fields[field] = redactor.Clean(Convert.ToString(value, CultureInfo.InvariantCulture) ?? "");
            }
        }

        _journal.Send(fields);
    }

    private sealed class Log(JournalProvider owner, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        void ILogger.Log<TState>(LogLevel level, EventId id, TState state, Exception? fault, Func<TState, Exception?, string> format) =>
            owner.Write(category, level, id, JournalFormatter.Text(format(state, fault), fault), state as IEnumerable<KeyValuePair<string, object?>>);
    }
}
