namespace FleetSidecar.Ground.Files;

/// <summary>One owner for one state directory. The kernel drops the lock with the process, so a crash leaves nothing behind.</summary>
public sealed class DirectoryLock : IDisposable
{
    /// <summary>The file that is locked.</summary>
    public const string FileName = "lock";

    private const int WouldBlock = 11; // EAGAIN: somebody holds it. A read-only file system is IOException as well.

    // A child that a killed holder was about to start has its handles until it becomes its program. On a busy machine that
    // takes a while; who refuses at once is then not started again by anybody.
    private static readonly TimeSpan HolderIsGone = TimeSpan.FromSeconds(3);

    private const int InputOutput = 5, NoSpace = 28, ReadOnly = 30; // EIO, ENOSPC, EROFS

    // 0751: others may reach a socket by its name, and see nothing.
    private const UnixFileMode Shared = PrivateDirectory.Mode | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly FileStream _file;

    private DirectoryLock(FileStream file) => _file = file;

    /// <param name="directory">Made where it is missing.</param>
    /// <param name="wait">Give a holder that is about to be gone three seconds.</param>
    /// <exception cref="ConfigurationException">Another process holds it, or the directory cannot be written.</exception>
    public static DirectoryLock Take(string directory, bool wait = true)
    {
        DirectoryLock? taken = null;
        return SpinWait.SpinUntil(() => (taken = TryTake(directory)) is not null, wait ? HolderIsGone : TimeSpan.Zero) ? taken!
            : throw new ConfigurationException($"{directory} is in use by another process", "stop the other one, or give this one a directory of its own");
    }

    private static DirectoryLock? TryTake(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            Directory.CreateDirectory(directory, Shared);
            PrivateDirectory.Allow(directory, Shared | UnixFileMode.OtherRead);
            ClearPlace.ForFile(path);
            return new DirectoryLock(new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }));
        }
        catch (UnauthorizedAccessException denied)
        {
            throw new ConfigurationException($"cannot write in {directory}: {denied.Message}",
                "give the service user ownership of the directory, or name another one", denied);
        }
        catch (IOException held) when (held.HResult == WouldBlock)
        {
            return null;
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
