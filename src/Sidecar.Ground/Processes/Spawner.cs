using System.Runtime.InteropServices;
using System.Text;

namespace FleetSidecar.Ground.Processes;

/// <summary>What to start: argv, environment, directory and where the output goes. Standard input is empty unless a handle is given.</summary>
public sealed record SpawnRequest(
    IReadOnlyList<string> Command,
    IReadOnlyList<KeyValuePair<string, string>> Environment,
    string WorkingDirectory,
    string OutputFile,
    string ErrorFile,
    int? InputHandle = null)
{
    /// <summary>Whether both files of the output must be new: a file, a link or a pipe that has their name already is refused.</summary>
    public bool MakesFiles { get; init; }
}

/// <summary>Starts a process in a session of its own that lives on when this program ends.</summary>
/// <remarks>
/// posix_spawn is used directly because the framework's Process cannot start a session, cannot send output to a file, and keeps
/// pipes whose end would reach the child when we die. The child gets default signal actions and an empty mask: a runtime that
/// blocks or ignores signals must not hand that down. See posix_spawn(3); POSIX_SPAWN_SETSID needs glibc 2.26 or musl 1.2.
/// </remarks>
public static unsafe partial class Spawner
{
    private const short SetSignalDefaults = 0x04, SetSignalMask = 0x08, SetSession = 0x80;
    private const int ReadOnly = 0, WriteCreateAppend = 0x1 | 0x40 | 0x400, Exclusive = 0x80; // O_WRONLY | O_CREAT | O_APPEND, O_EXCL
    private const int OwnerOnly = 0x180; // 0600
    private const int RoomForOpaqueStruct = 512; // glibc: 336 (attributes) and 80 (actions) bytes on 64 bit

    // HUP INT QUIT USR1 USR2 PIPE TERM CHLD: exec resets handlers by itself but keeps "ignored", and the runtime ignores PIPE.
    private static readonly int[] InheritedWhenIgnored = [1, 2, 3, 10, 12, 13, 15, 17];

    /// <exception cref="SpawnException">The program could not be started, or may be written by another user; nothing runs.</exception>
    public static int Start(SpawnRequest request)
    {
        var program = ProgramFile.Require(request.Command[0], request.WorkingDirectory, searchPath: null);
        var attributes = stackalloc byte[RoomForOpaqueStruct];
        var actions = stackalloc byte[RoomForOpaqueStruct];
        var signals = stackalloc byte[128];
        Check(AttributesInit(attributes), request);
        Check(ActionsInit(actions), request);
        using var argv = new NativeStrings(request.Command);
        using var environment = new NativeStrings([.. request.Environment.Select(pair => $"{pair.Key}={pair.Value}")]);
        try
        {
            _ = EmptySet(signals);
            Check(SetMask(attributes, signals), request);
            foreach (var signal in InheritedWhenIgnored)
            {
                _ = AddToSet(signals, signal);
            }

            Check(SetDefaults(attributes, signals), request);
            Check(SetFlags(attributes, SetSignalDefaults | SetSignalMask | SetSession), request);
            Check(AddChdir(actions, request.WorkingDirectory), request);
            Check(request.InputHandle is { } input ? AddDuplicate(actions, input, 0) : AddOpen(actions, 0, "/dev/null", ReadOnly, 0), request);
            var flags = WriteCreateAppend | (request.MakesFiles ? Exclusive : 0);
            Check(AddOpen(actions, 1, request.OutputFile, flags, OwnerOnly), request);
            Check(AddOpen(actions, 2, request.ErrorFile, flags, OwnerOnly), request);
            int pid;
            Check(Spawn(&pid, program, actions, attributes, argv.Pointer, environment.Pointer), request);
            return pid;
        }
        finally
        {
            _ = ActionsDestroy(actions);
            _ = AttributesDestroy(attributes);
        }
    }

    private static void Check(int error, SpawnRequest request)
    {
        if (error != 0)
        {
            var fault = StartFaults.Explain(error, request.Command[0], request.WorkingDirectory, [request.OutputFile, request.ErrorFile], null);
            throw new SpawnException(fault, error);
        }
    }

    [LibraryImport("libc", EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Spawn(int* pid, string path, byte* actions, byte* attributes, byte** argv, byte** environment);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    private static partial int AttributesInit(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    private static partial int AttributesDestroy(byte* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    private static partial int SetFlags(byte* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    private static partial int SetMask(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    private static partial int SetDefaults(byte* attributes, byte* signals);

    [LibraryImport("libc", EntryPoint = "sigemptyset")]
    private static partial int EmptySet(byte* signals);

    [LibraryImport("libc", EntryPoint = "sigaddset")]
    private static partial int AddToSet(byte* signals, int signal);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    private static partial int ActionsInit(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    private static partial int ActionsDestroy(byte* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddOpen(byte* actions, int handle, string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static partial int AddDuplicate(byte* actions, int handle, int target);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int AddChdir(byte* actions, string path);

    /// <summary>A NULL-terminated array of C strings. Text with a NUL inside would arrive cut, so it is refused.</summary>
    private sealed class NativeStrings : IDisposable
    {
        private readonly int _count;

        public NativeStrings(IReadOnlyList<string> texts)
        {
            _count = texts.Count;
            Pointer = (byte**)NativeMemory.AllocZeroed((nuint)(_count + 1), (nuint)sizeof(byte*));
            for (var index = 0; index < _count; index++)
            {
                if (texts[index].Contains('\0', StringComparison.Ordinal))
                {
                    Dispose();
                    throw new ArgumentException("An argument or environment value holds a NUL character.", nameof(texts));
                }

                var length = Encoding.UTF8.GetByteCount(texts[index]);
                Pointer[index] = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
                Encoding.UTF8.GetBytes(texts[index], new Span<byte>(Pointer[index], length));
            }
        }

        public byte** Pointer { get; private set; }

        public void Dispose()
        {
            for (var index = 0; index < _count && Pointer is not null; index++)
            {
                NativeMemory.Free(Pointer[index]);
            }

            NativeMemory.Free(Pointer);
            Pointer = null;
        }
    }
}

/// <summary>A program could not be started; the message names the one thing that keeps it from being.</summary>
public sealed class SpawnException(StartFault fault, int error) : SidecarException(fault.Message, fault.Hint)
{
    /// <summary>What keeps it from being started.</summary>
    public StartProblem Problem => fault.Problem;

    /// <summary>The system's error number.</summary>
    public int Error => error;
}
