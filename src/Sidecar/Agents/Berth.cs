using System.IO.Pipes;
using System.Security.Cryptography;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>A place for one wake: its directory, its files, and a recorder that waits for its order.</summary>
/// <remarks>Making files costs more than anything else in a wake, so a berth is
/// made before it is needed and carries the id and the nonce that its run will have.</remarks>
internal sealed class Berth : IDisposable
{
    private readonly AnonymousPipeServerStream _pipe;

    private Berth(string runId, string nonce, string profile, int pid, AnonymousPipeServerStream pipe) =>
        (RunId, Nonce, Profile, Pid, _pipe) = (runId, nonce, profile, pid, pipe);

    public string RunId { get; }

    public string Nonce { get; }

    public string Profile { get; }

    /// <summary>The recorder's.</summary>
    public int Pid { get; }

    public static string NewRunId() => $"run_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}";

    public static string NewNonce() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <exception cref="SpawnException">No recorder could be started; nothing runs.</exception>
    public static Berth Make(string runId, string nonce, int attempt, WakeProfile profile, SidecarConfig config)
    {
        var runDirectory = Path.Combine(config.RunsDirectory, runId);
        var directory = Recorder.Directory(runDirectory, attempt);
        PrivateDirectory.Make(runDirectory);

        // An agent of an earlier wake may have prepared this one's place, with a pipe that would keep us waiting for ever.
        if (PathFacts.Of(directory) is { } planted)
        {
            ClearPlace.Rename(directory, planted);
        }

        Directory.CreateDirectory(directory, PrivateDirectory.Mode);
        NewFile.Write(Recorder.TaskFile(runDirectory), []);
        new FileStream(Recorder.Note(directory), new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite, BufferSize = 0,
        }).Dispose();
        var pipe = new AnonymousPipeServerStream(PipeDirection.Out, HandleInheritability.None);
        try
        {
            var pid = Spawner.Start(new SpawnRequest(
                Recorder.Command(directory), AgentEnvironment.For(runDirectory, nonce, profile, config), "/",
                Recorder.Output(directory), Recorder.Errors(directory), (int)pipe.ClientSafePipeHandle.DangerousGetHandle()) { MakesFiles = true });
            pipe.DisposeLocalCopyOfClientHandle();
            return new Berth(runId, nonce, profile.Name, pid, pipe);
        }
        catch
        {
            pipe.Dispose();
            throw;
        }
    }

    /// <summary>Gives the recorder its order; from this moment an agent may run. False where the recorder is gone, and then none does.</summary>
    public bool TrySend(byte[] order)
    {
        try
        {
            _pipe.Write(order);
            return HasOrder = true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>True once the order was given.</summary>
    public bool HasOrder { get; private set; }

    /// <summary>Closes the pipe; a recorder without an order then ends by itself.</summary>
    public void Dispose() => _pipe.Dispose();
}
