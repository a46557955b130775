using FleetSidecar.Ground.CommandLine;
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

    /// <summary>Whatever a terminal would act on is shown: journals and logs are read on terminals.</summary>
    public static string OneLine(string text) => Visible.Line(text);
}
