using System.Text;

namespace FleetSidecar.Ground.Files;

/// <summary>Writes a small file of ours, for our user alone, so that a reader, or the next start after a power cut, sees the old bytes or the new, never a part.</summary>
/// <remarks>Two programs may write the same file: the last one wins.</remarks>
public static class AtomicFile
{
    public static void Write(string path, string text) =>
        OwnedFile.Put($"{path}.{Environment.ProcessId}.tmp", path, Encoding.UTF8.GetBytes(text), UnixFileMode.UserRead | UnixFileMode.UserWrite);
}
