using System.Text;

namespace FleetSidecar.Ground.Files;

/// <summary>Writes a small file so that a reader, or the next start after a power cut, sees the old bytes or the new, never a part.</summary>
public static class AtomicFile
{
    public static void Write(string path, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var beside = $"{path}.{Environment.ProcessId}.tmp";
        File.Delete(beside); // Of a process that had our number; and a link that somebody put there is not written through.
        using (var file = new FileStream(beside, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode,
        }))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(beside, path, overwrite: true);
        DirectorySync.Flush(Path.GetDirectoryName(path)!);
    }
}
