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
/// <remarks>Lines always go to the file of the plain name. A full one gets the next number (<c>sidecar_001.log</c>, then <c>sidecar_002.log</c>). The library's own
/// rolling is not used: it takes the highest number that anybody left in the directory, and the largest number there is makes it search for ever.</remarks>
public sealed class BundleFile : ILogEventSink, IDisposable
{
    private const long FullAt = 5 * 1024 * 1024, MostInOne = 2 * FullAt;
    private const int KeptFull = 4, LargestNumber = 999_999;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly LineFormatter _formatter;
    private readonly TimeProvider _time;
    private Opened _opened = new();
    private Logger _lines;
    private long _looked;

    private BundleFile(string path, Redactor redactor, TimeProvider time)
    {
        (_path, _formatter, _time, _looked) = (path, new LineFormatter(redactor), time, time.GetTimestamp());
        ClearWay();
        _lines = OpenLines();
        RollFull();
    }

    /// <exception cref="IOException">Something that is no file is in the way, and cannot be moved out of it.</exception>
    public static Logger Open(string path, Redactor redactor, TimeProvider? time = null) =>
        new LoggerConfiguration().MinimumLevel.Debug().WriteTo.Sink(new BundleFile(path, redactor, time ?? TimeProvider.System)).CreateLogger();

    public void Emit(LogEvent logEvent)
    {
        lock (_lock)
        {
            if (_time.GetElapsedTime(_looked) >= LookEvery)
            {
                _looked = _time.GetTimestamp();
                OpenAgain();
                RollFull();
            }

            if (Size < MostInOne)
            {
                _lines.Write(logEvent);
            }
        }
    }

    // Of the file, where there is one: a full disk takes nothing of what is written.
    private long Size => _opened.File is { IsClosed: false } file ? RandomAccess.GetLength(file) : _opened.Length + _formatter.Written;

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

        Reopen();
    }

    // Where a full file cannot be renamed it grows to its double and no further; the journal has all lines.
    private void RollFull()
    {
        if (Size < FullAt)
        {
            return;
        }

        _lines.Dispose(); // Its last lines are in the file before that has another name.
        try
        {
            ClearWay();
            FileRename.Over(_path, Numbered(NextNumber()));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }

        Reopen();
    }

    // The newest stay. What has a number that we do not give is not ours and is left alone.
    private int NextNumber()
    {
        var directory = Path.GetDirectoryName(_path)!;
        var full = Directory.GetFiles(directory).Where(file => file != _path && IsFileOf(_path, file)).Select(file => (File: file, Number: NumberOf(file))).Where(one => one.Number is not null).OrderBy(one => one.Number).ToList();
        var kept = full.TakeLast(KeptFull - 1).ToList();
        foreach (var (file, _) in full.Except(kept))
        {
            File.Delete(file);
        }

        if (kept.Count == 0 || kept[^1].Number < LargestNumber)
        {
            return kept.Count == 0 ? 1 : kept[^1].Number!.Value + 1;
        }

        for (var at = 0; at < kept.Count; at++)
        {
            FileRename.Over(kept[at].File, Numbered(at + 1));
        }

        return kept.Count + 1;
    }

    private int? NumberOf(string file) =>
        int.TryParse(file[(Path.ChangeExtension(_path, null).Length + 1)..^Path.GetExtension(_path).Length], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number <= LargestNumber && file == Numbered(number) ? number : null;

    private string Numbered(int number) => string.Create(CultureInfo.InvariantCulture, $"{Path.ChangeExtension(_path, null)}_{number:000}{Path.GetExtension(_path)}");

    private void Reopen()
    {
        _lines.Dispose();
        _formatter.Written = 0;
        _opened = new Opened();
        _lines = OpenLines();
    }

    // To open a pipe would wait.
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
        .WriteTo.File(_formatter, _path, fileSizeLimitBytes: null, hooks: _opened) // With a limit the hook does not get the file.
        .CreateLogger();

    // Texts of tasks and agents are in it: for our user and its group, whatever the umask.
    private sealed class Opened : FileLifecycleHooks
    {
        public string? Path { get; private set; }

        public SafeFileHandle? File { get; private set; }

        /// <summary>What was in it before.</summary>
        public long Length { get; private set; }

        public override Stream OnFileOpened(string path, Stream underlyingStream, Encoding encoding)
        {
            if (underlyingStream is FileStream file)
            {
                System.IO.File.SetUnixFileMode(file.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
                (Path, File, Length) = (path, file.SafeFileHandle, file.Length);
            }

            return underlyingStream;
        }
    }

    private sealed class LineFormatter(Redactor redactor) : ITextFormatter
    {
        // Literal: without it every text value would stand in quotes.
        private static readonly MessageTemplateTextFormatter Plainly = new("{Message:lj}", CultureInfo.InvariantCulture);

        /// <summary>Bytes since the file was opened.</summary>
        public long Written { get; set; }

        public void Format(LogEvent logEvent, TextWriter output)
        {
            using var rendered = new StringWriter(CultureInfo.InvariantCulture);
            Plainly.Format(logEvent, rendered);
            var text = rendered.ToString();
            if (logEvent.Exception is { } fault)
            {
                text += $" | {fault}";
            }

            var line = $"{logEvent.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)} {logEvent.Level} {LogLine.Source(Plain(logEvent, "SourceContext"), EventOf(logEvent))} {LogLine.OneLine(redactor.Clean(text))}\n";
            output.Write(line);
            Written += Encoding.UTF8.GetByteCount(line);
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
