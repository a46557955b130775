namespace FleetSidecar.Testing;

/// <summary>A file system of a few megabytes in memory that a test can fill and make read-only. Needs the right to mount.</summary>
public sealed class SmallDisk : IDisposable
{
    private readonly string _path;

    private SmallDisk(string path) => _path = path;

    private string Ballast => Path.Combine(_path, "ballast");

    /// <summary>Mounts one at a path, or returns null where this user may not mount.</summary>
    public static async Task<SmallDisk?> TryMountAsync(string path, int megabytes, string more = "")
    {
        Directory.CreateDirectory(path);
        return File.Exists("/bin/mount") && (await TestProgram.RunAsync("/bin/mount", ["-t", "tmpfs", "-o", $"size={megabytes}m,mode=0755{more}", "tmpfs", path])).ExitCode == 0
            ? new SmallDisk(path) : null;
    }

    /// <summary>Writes until not one byte more fits.</summary>
    public void Fill()
    {
        foreach (var piece in new[] { 65536, 1 })
        {
            try
            {
                using var file = new FileStream(Ballast, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
                var zeros = new byte[piece];
                while (true)
                {
                    file.Write(zeros);
                }
            }
            catch (IOException)
            {
                // No space left on the device: that was the point.
            }
        }
    }

    public void Free() => File.Delete(Ballast);

    public Task RemountAsync(string mode) => TestProgram.MustAsync("/bin/mount", "-o", $"remount,{mode}", _path);

    public void Dispose() => TestProgram.RunAsync("/bin/umount", ["--lazy", _path]).GetAwaiter().GetResult();
}
