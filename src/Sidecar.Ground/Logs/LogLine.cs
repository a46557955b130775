using Microsoft.Extensions.Logging;

namespace FleetSidecar.Ground.Logs;

/// <summary>How an event is named and kept on one line, the same in the journal and in the file.</summary>
internal static class LogLine
{
    /// <summary><c>LinkLoop[210 LinkUp]</c>: the class and the event that <c>docs/operations.md</c> lists.</summary>
    public static string Source(string category, EventId id)
    {
        var name = category[(category.LastIndexOf('.') + 1)..];
        return id.Id == 0 ? name : $"{name}[{id.Id} {id.Name}]";
    }

    public static string OneLine(string text) =>
        text.AsSpan().IndexOfAny('\n', '\r') < 0 ? text : text.Replace("\r", "", StringComparison.Ordinal).Replace("\n", " ⏎ ", StringComparison.Ordinal);
}
