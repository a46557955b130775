using System.Diagnostics;
using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Serilog.Sinks.File;

namespace FleetSidecar.Ground.Logs;

/// <summary>The rolling file that goes into a support bundle: the journal's lines with a date, at most 5 files of 5 MiB. One that was removed or renamed is made again.</summary>
public sealed class BundleFile : ILogEventSink, IDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly Redactor _redactor;
    private Opened _opened = new();
    private Logger _lines;
    private long _looked = Stopwatch.GetTimestamp();

    private BundleFile(string path, Redactor redactor)
    {
        (_path, _redactor) = (path, redactor);
        ClearWay();
        _lines = OpenLines();
    }

    /// <exception cref="IOException">Something that is no file is in the way, and cannot be moved out of it.</exception>
    public static Logger Open(string path, Redactor redactor) => new LoggerConfiguration().MinimumLevel.Debug().WriteTo.Sink(new BundleFile(path, redactor)).CreateLogger();

    public void Emit(LogEvent logEvent)
    {
        lock (_lock)
        {
            if (Stopwatch.GetElapsedTime(_looked) >= LookEvery)
            {
                _looked = Stopwatch.GetTimestamp();
                OpenAgain();
            }

            _lines.Write(logEvent);
        }
    }

    public void Dispose() => _lines.Dispose();

    // The library keeps writing to a file that was removed, and it opens a file once only.
    private void OpenAgain()
    {
        // The directory is made again; where the one around it is gone too, a disk may be away for a while, and nothing is put in its place.
        if ((_opened is { Path: { } path, File: { } file } && PathFacts.IsAt(file, path)) || !Directory.Exists(Path.GetDirectoryName(Path.GetDirectoryName(_path))))
        {
            return;
        }

        try
        {
            ClearWay();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return; // The next look may find the way clear; the journal has all lines.
        }

        _lines.Dispose();
        _opened = new Opened();
        _lines = OpenLines();
    }

    // Which of them comes next is the library's to say; it would wait at a pipe.
    private void ClearWay()
    {
        var directory = Path.GetDirectoryName(_path)!;
        ClearPlace.For(directory);
        foreach (var file in Directory.Exists(directory) ? Directory.GetFileSystemEntries(directory).Where(entry => IsFileOf(_path, entry)) : [])
        {
            ClearPlace.ForFile(file);
        }
    }

    /// <summary>Whether a path is the file, or one that it rolled to (<c>sidecar_001.log</c>): others may have logs in the same directory.</summary>
    /// <param name="file">The file that was named.</param>
    /// <param name="path">The other path.</param>
    public static bool IsFileOf(string file, string path)
    {
        var (stem, extension) = (Path.ChangeExtension(file, null), Path.GetExtension(file));
        return path == file || (path.StartsWith(stem + "_", StringComparison.Ordinal) && path.EndsWith(extension, StringComparison.Ordinal)
            && path.Length > stem.Length + 1 + extension.Length && path[(stem.Length + 1)..^extension.Length].All(char.IsAsciiDigit));
    }

    private Logger OpenLines() => new LoggerConfiguration()
        .MinimumLevel.Debug()
        .WriteTo.File(new LineFormatter(_redactor), _path, rollOnFileSizeLimit: true, fileSizeLimitBytes: 5 * 1024 * 1024, retainedFileCountLimit: 5, hooks: _opened)
        .CreateLogger();

    // Texts of tasks and agents are in it: for our user and its group, whatever the umask.
    private sealed class Opened : FileLifecycleHooks
    {
        public string? Path { get; private set; }

        public SafeFileHandle? File { get; private set; }

        public override Stream OnFileOpened(string path, Stream underlyingStream, Encoding encoding)
        {
            if (underlyingStream is FileStream file)
            {
                System.IO.File.SetUnixFileMode(file.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
                (Path, File) = (path, file.SafeFileHandle);
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
