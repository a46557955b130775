namespace FleetSidecar.Ground.Files;

/// <summary>One owner for one state directory. The kernel drops the lock with the process, so a crash leaves nothing behind.</summary>
public sealed class DirectoryLock : IDisposable
{
    private const int WouldBlock = 11; // EAGAIN: somebody holds it. A read-only file system is IOException as well.

    private const int InputOutput = 5, NoSpace = 28, ReadOnly = 30; // EIO, ENOSPC, EROFS

    private readonly FileStream _file;

    private DirectoryLock(FileStream file) => _file = file;

    /// <exception cref="ConfigurationException">Another process holds it, or the directory cannot be written.</exception>
    public static DirectoryLock Take(string directory)
    {
        var path = Path.Combine(directory, "lock");
        try
        {
            Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
                | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            return new DirectoryLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new ConfigurationException($"cannot write in {directory}: {denied.Message}",
                "give the service user ownership of the directory, or name another one", denied);
        }
        catch (IOException taken) when (taken.HResult == WouldBlock)
        {
            throw new ConfigurationException($"{directory} is in use by another process",
                "stop the other one, or give this one a directory of its own", taken);
        }
        catch (IOException broken) when (broken.HResult is InputOutput or NoSpace or ReadOnly)
        {
            // What a disk can get over: no matter of configuration, so whoever supervises us tries again.
            throw new SidecarException($"cannot use {directory}: {broken.Message}", "mend the file system or free space; every further start tries again", broken);
        }
        catch (IOException wrong)
        {
            throw new ConfigurationException($"cannot use {directory}: {wrong.Message}", "name a directory on a writable file system", wrong);
        }
    }

    public void Dispose() => _file.Dispose();
}
