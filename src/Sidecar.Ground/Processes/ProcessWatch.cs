using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Processes;

/// <summary>Tells when a process ends, whether or not it is our child: one thread that waits on pidfds.</summary>
/// <remarks>An adopted agent is not our child, so waitpid and SIGCHLD cannot serve. A pidfd becomes readable when its process
/// ends (pidfd_open(2), Linux 5.3). Children are reaped here so that none stays a zombie.</remarks>
public sealed partial class ProcessWatch : IDisposable
{
    private const long PidfdOpenCall = 434; // the same number on every architecture
    private const int Add = 1, Remove = 2, Readable = 1, NoHang = 1, CloseOnExec = 0x80000;

    // epoll_event is packed to 12 bytes on x86-64 and padded to 16 on every other architecture.
    private static readonly bool Packed = RuntimeInformation.ProcessArchitecture == Architecture.X64;
    private static readonly int EventSize = Packed ? 12 : 16;
    private static readonly int TicketOffset = Packed ? 4 : 8;

    private readonly int _poll = Create(CloseOnExec);
    private readonly ConcurrentDictionary<long, (int Handle, int Pid, TaskCompletionSource Ended)> _watched = new();
    private long _tickets;
    private int _started;

    /// <summary>Ends when the process does; at once where it is already gone.</summary>
    public Task EndOfAsync(ProcessIdentity process)
    {
        var handle = (int)PidfdOpen(PidfdOpenCall, process.Pid, 0);
        if (handle < 0 || !process.IsAlive())
        {
            // Checked after opening: the handle is of this process or of none, never of a later owner of the number.
            if (handle >= 0)
            {
                _ = Close(handle);
            }

            Reap(process.Pid);
            return Task.CompletedTask;
        }

        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        // Events carry a ticket, not the handle: a handle's number is used again at once, and what comes late must not hit its next owner.
        var ticket = Interlocked.Increment(ref _tickets);
        _watched[ticket] = (handle, process.Pid, ended);
        StartThread();
        var interest = new byte[EventSize];
        BitConverter.TryWriteBytes(interest, Readable);
        BitConverter.TryWriteBytes(interest.AsSpan(TicketOffset), ticket);
        if (Control(_poll, Add, handle, interest) != 0)
        {
            throw new InvalidOperationException($"Cannot watch process {process.Pid}: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        return ended.Task;
    }

    public void Dispose() => _ = Close(_poll);

    /// <summary>Collects the status of an ended child; does nothing for a process that is not ours.</summary>
    public static void Reap(int pid) => _ = WaitPid(pid, out _, NoHang);

    private void StartThread()
    {
        if (Interlocked.Exchange(ref _started, 1) == 0)
        {
            new Thread(Wait) { IsBackground = true, Name = "process-watch" }.Start();
        }
    }

    private void Wait()
    {
        const int Room = 16;
        var events = new byte[Room * EventSize];
        while (true)
        {
            var count = Poll(_poll, events, Room, -1);
            for (var index = 0; index < count; index++)
            {
                var ticket = BitConverter.ToInt64(events, (index * EventSize) + TicketOffset);
                if (_watched.TryRemove(ticket, out var watched))
                {
                    // Before closing: a child that was just forked still holds the file, and its registration would outlive the handle.
                    _ = Control(_poll, Remove, watched.Handle, events);
                    _ = Close(watched.Handle);
                    Reap(watched.Pid);
                    watched.Ended.TrySetResult();
                }
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long PidfdOpen(long number, int pid, uint flags);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(int poll, int operation, int handle, byte[] interest);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int Poll(int poll, [Out] byte[] events, int room, int timeout);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    private static partial int WaitPid(int pid, out int status, int options);
}
