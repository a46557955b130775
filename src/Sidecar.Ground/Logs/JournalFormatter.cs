using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace FleetSidecar.Ground.Logs;

/// <summary>One event, one line, as the journal wants it: <c>&lt;6&gt;Links.LinkLoop[210 LinkUp] text</c>.</summary>
/// <remarks>The number in front is the syslog priority that journald takes off and keeps as a field
/// (<see href="https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html">sd-daemon(3)</see>).</remarks>
internal sealed class JournalFormatter(Redactor redactor) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "journal";

    public override void Write<TState>(in LogEntry<TState> entry, IExternalScopeProvider? scopes, TextWriter writer)
    {
        var text = Text(entry.Formatter(entry.State, entry.Exception), entry.Exception);

        writer.Write('<');
        writer.Write(Priority(entry.LogLevel));
        writer.Write('>');
        writer.Write(LogLine.Source(entry.Category, entry.EventId));
        writer.Write(' ');
        writer.Write(LogLine.OneLine(redactor.Clean(text)));
        writer.Write('\n');
    }

    /// <summary>The message and, where there is one, the fault behind it.</summary>
    public static string Text(string message, Exception? fault) => fault is null ? message : $"{message} | {fault.GetType().Name}: {fault}";

    public static char Priority(LogLevel level) => level switch
    {
        LogLevel.Critical => '2',
        LogLevel.Error => '3',
        LogLevel.Warning => '4',
        LogLevel.Information => '6',
        _ => '7',
    };
}
