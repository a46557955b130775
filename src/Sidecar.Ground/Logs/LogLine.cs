using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Ground.Logs;

/// <summary>How an event is named and kept on one line, the same in the journal and in the file.</summary>
internal static class LogLine
{
    // journald breaks a line at 48 KiB (LineMax=); a character may be shown as six.
    private const int LongestText = 8_000;

    /// <summary><c>LinkLoop[210 LinkUp]</c>: the class and the event that <c>docs/operations.md</c> lists.</summary>
    public static string Source(string category, EventId id)
    {
        var name = category[(category.LastIndexOf('.') + 1)..];
        return id.Id == 0 ? name : $"{name}[{id.Id} {id.Name}]";
    }

    /// <summary>Whatever a terminal would act on is shown: journals and logs are read on terminals. What an agent or a tool said may be
    /// of any length; a line is not.</summary>
    /// <param name="text">The text, without secrets: half of one would not be known again.</param>
    public static string OneLine(string text) => text.Length <= LongestText
        ? Visible.Line(text)
        : $"{Visible.Line(Printable.Head(text, LongestText))}… ({text.Length - LongestText} characters more)";
}
