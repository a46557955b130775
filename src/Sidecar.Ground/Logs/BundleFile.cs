using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using Microsoft.Extensions.Logging;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Serilog.Sinks.File;

namespace FleetSidecar.Ground.Logs;

/// <summary>The rolling file that goes into a support bundle: the journal's lines with a date, at most 5 files of 5 MiB.</summary>
internal static class BundleFile
{
    public static Logger Open(string path, Redactor redactor)
    {
        // Which of them comes next is the library's to say; it would wait at a pipe.
        foreach (var file in Directory.Exists(Path.GetDirectoryName(path)) ? Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!, "*.log") : [])
        {
            ClearPlace.ForFile(file);
        }

        return Logger(path, redactor);
    }

    private static Logger Logger(string path, Redactor redactor) => new LoggerConfiguration()
        .MinimumLevel.Debug()
        .WriteTo.File(new LineFormatter(redactor), path, rollOnFileSizeLimit: true, fileSizeLimitBytes: 5 * 1024 * 1024, retainedFileCountLimit: 5, hooks: new Modes())
        .CreateLogger();

    // Texts of tasks and agents are in it: for our user and its group, whatever the umask.
    private sealed class Modes : FileLifecycleHooks
    {
        public override Stream OnFileOpened(string path, Stream underlyingStream, Encoding encoding)
        {
            if (underlyingStream is FileStream file)
            {
                File.SetUnixFileMode(file.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
            }

            return underlyingStream;
        }
    }

    private sealed class LineFormatter(Redactor redactor) : ITextFormatter
    {
        // Literal: without it every text value would stand in quotes.
        private static readonly MessageTemplateTextFormatter Plainly = new("{Message:lj}", CultureInfo.InvariantCulture);

        public void Format(LogEvent logEvent, TextWriter output)
        {
            using var rendered = new StringWriter(CultureInfo.InvariantCulture);
            Plainly.Format(logEvent, rendered);
            var text = rendered.ToString();
            if (logEvent.Exception is { } fault)
            {
                text += $" | {fault}";
            }

            output.Write(logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z' ", CultureInfo.InvariantCulture));
            output.Write(logEvent.Level.ToString());
            output.Write(' ');
            output.Write(LogLine.Source(Plain(logEvent, "SourceContext"), EventOf(logEvent)));
            output.Write(' ');
            output.Write(LogLine.OneLine(redactor.Clean(text)));
            output.Write('\n');
        }

        private static EventId EventOf(LogEvent logEvent) =>
            logEvent.Properties.TryGetValue("EventId", out var value) && value is StructureValue structure
                ? new EventId(
                    int.TryParse(Property(structure, "Id"), out var id) ? id : 0,
                    Property(structure, "Name")?.Trim('"'))
                : default;

        private static string? Property(StructureValue structure, string name) =>
            structure.Properties.FirstOrDefault(property => property.Name == name)?.Value.ToString();

        private static string Plain(LogEvent logEvent, string name) =>
            logEvent.Properties.TryGetValue(name, out var value) ? value.ToString().Trim('"') : "";
    }
}
