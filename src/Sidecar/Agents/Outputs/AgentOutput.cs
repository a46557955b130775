using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Agents.Outputs;

/// <summary>Keeps the two files that an agent prints into bounded: while it writes by holes, after its end by a shorter file.</summary>
/// <remarks>
/// The agent writes straight to its files, with or without a sidecar, so nothing of ours stands between that could be full or
/// gone. A hole in the middle frees the disk and leaves every offset as it was. After the end the file becomes head, one line
/// that says how much is missing, and tail. May get wrong: between two looks, and while no sidecar lives, a file grows past
/// its limit; a file that the agent removed and still writes to cannot be found.
/// </remarks>
internal static class AgentOutput
{
    private const int BufferBytes = 1024 * 1024, NoteBytes = 32;
    private const UnixFileMode Ours = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes both files empty, so that they belong to our group where another user is going to write them.</summary>
    public static void Make(string record)
    {
        foreach (var path in new[] { Recorder.Output(record), Recorder.Errors(record) })
        {
            new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Ours | UnixFileMode.GroupRead | UnixFileMode.GroupWrite }).Dispose();
        }
    }

    /// <summary>Frees the middle of what a living agent has printed so far. Cheap where there is nothing to do.</summary>
    public static void Bound(string record, long wakeBytes)
    {
        Bound(Recorder.Output(record), OutputLimit.OfOutput(wakeBytes));
        Bound(Recorder.Errors(record), OutputLimit.OfErrors(wakeBytes));
    }

    /// <summary>Brings both files into their last form; nothing of the agent may live any more. May be done again after a crash.</summary>
    /// <returns>How many bytes are missing in the two.</returns>
    public static long Settle(string record, long wakeBytes) =>
        Settle(Recorder.Output(record), OutputLimit.OfOutput(wakeBytes)) + Settle(Recorder.Errors(record), OutputLimit.OfErrors(wakeBytes));

    private static void Bound(string path, OutputLimit limit)
    {
        if (PathFacts.Of(path) is not { Kind: PathKind.File } facts || facts.Length <= limit.Head + limit.Tail)
        {
            return;
        }

        using var file = OutsideFile.OpenToChange(path);
        if (file is null)
        {
            return; // The file system is read-only, or the agent has changed the mode of its file.
        }

        if (Length(file) is { } length && limit.Middle(length, SparseFile.NextData(file, limit.Head)) is { } middle)
        {
            SparseFile.Punch(file, middle.From, middle.Length);
        }
    }

    // Null for a pipe that took the file's place a moment ago.
    private static long? Length(SafeFileHandle file)
    {
        try
        {
            return RandomAccess.GetLength(file);
        }
        catch (Exception fault) when (fault is IOException or NotSupportedException)
        {
            return null;
        }
    }

    private static long Settle(string path, OutputLimit limit)
    {
        using var file = OutsideFile.OpenToChange(path);
        if (file is null || Length(file) is not { } length)
        {
            return Noted(path);
        }

        var hole = SparseFile.NextHole(file, 0);
        if (limit.Cut(length, hole, SparseFile.NextData(file, hole)) is not { } cut)
        {
            return Noted(path);
        }

        var dropped = cut.TailStart - cut.HeadEnd;
        var beside = OwnedFile.Beside(path);
        try
        {
            // The number first: a crash after the new file is in place must not lose it.
            OwnedFile.Write(NoteOf(path), Encoding.ASCII.GetBytes(dropped.ToString(CultureInfo.InvariantCulture)), Ours);
            Write(file, beside, cut, length);
            FileRename.Over(beside, path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // No room for the shorter file beside the long one. The middle becomes a hole, which needs none.
            Remove(beside);
            Remove(OwnedFile.Beside(NoteOf(path)));
            Bound(path, limit);
        }

        return dropped;
    }

    private static void Write(SafeFileHandle from, string path, (long HeadEnd, long TailStart) cut, long length)
    {
        File.Delete(path);
        using var to = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Ours, BufferSize = 0 });
        var last = Copy(from, to, 0, cut.HeadEnd);
        if (last is not (null or (byte)'\n'))
        {
            to.Write("\n"u8);
        }

        to.Write(Encoding.UTF8.GetBytes(OutputLimit.Marker(cut.TailStart - cut.HeadEnd)));
        Copy(from, to, cut.TailStart, length);
        to.Flush(flushToDisk: true);
    }

    private static byte? Copy(SafeFileHandle from, FileStream to, long start, long end)
    {
        var buffer = new byte[BufferBytes];
        byte? last = null;
        for (var at = start; at < end;)
        {
            var count = RandomAccess.Read(from, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at)), at);
            if (count == 0)
            {
                break;
            }

            to.Write(buffer, 0, count);
            last = buffer[count - 1];
            at += count;
        }

        return last;
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It goes with its run.
        }
    }

    private static string NoteOf(string path) => $"{path}.dropped";

    private static long Noted(string path) =>
        OutsideFile.ReadInside(NoteOf(path), NoteBytes) is { } bytes
        && long.TryParse(Encoding.ASCII.GetString(bytes), NumberStyles.None, CultureInfo.InvariantCulture, out var dropped) ? dropped : 0;
}
