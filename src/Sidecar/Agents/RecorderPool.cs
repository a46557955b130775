using System.IO.Pipes;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Keeps one recorder ready, so that a wake costs a line through a pipe and not the start of a shell.</summary>
/// <remarks>
/// A recorder that waits holds nothing and does nothing; when the sidecar goes, however it goes, its pipe closes and it ends. A
/// recorder that has its order is on its own from then on. Owned by whoever launches; never more than one is kept.
/// </remarks>
internal sealed class RecorderPool(SidecarConfig config, TimeProvider time) : IDisposable
{
    // Not at once: the agent that was just started should have the machine to itself for its first moments.
    private static readonly TimeSpan RefillDelay = TimeSpan.FromMilliseconds(200);

    private readonly Lock _turn = new();
    private WaitingRecorder? _ready;
    private bool _closed;

    /// <summary>Gives an order to a recorder; returns the recorder's pid. From this moment an agent may run.</summary>
    /// <exception cref="SpawnException">No recorder could be started; nothing runs.</exception>
    public int Send(WakeProfile profile, byte[] order)
    {
        if (Take(profile.Name) is { } ready)
        {
            using (ready)
            {
                if (ready.TrySend(order))
                {
                    return ready.Pid;
                }
            }

            ProcessWatch.Reap(ready.Pid); // Somebody ended it while it waited. It had no order.
        }

        using var fresh = WaitingRecorder.Start(profile, config);
        return fresh.TrySend(order) ? fresh.Pid : throw new SpawnException(Recorder.Shell, BrokenPipe);
    }

    /// <summary>Sees to it that one recorder waits, a moment from now.</summary>
    public async Task RefillAsync(WakeProfile profile, CancellationToken token)
    {
        await Task.Delay(RefillDelay, time, token);
        lock (_turn)
        {
            if (!_closed && _ready?.Profile != profile.Name)
            {
                _ready?.Dispose();
                _ready = WaitingRecorder.Start(profile, config);
            }
        }
    }

    public void Dispose()
    {
        lock (_turn)
        {
            _closed = true;
            _ready?.Dispose();
        }
    }

    private const int BrokenPipe = 32;

    private WaitingRecorder? Take(string profile)
    {
        lock (_turn)
        {
            if (_ready?.Profile != profile)
            {
                return null;
            }

            var ready = _ready;
            _ready = null;
            return ready;
        }
    }

    private sealed class WaitingRecorder(string profile, int pid, AnonymousPipeServerStream pipe) : IDisposable
    {
        public string Profile => profile;

        public int Pid => pid;

        public static WaitingRecorder Start(WakeProfile profile, SidecarConfig config)
        {
            var pipe = new AnonymousPipeServerStream(PipeDirection.Out, HandleInheritability.None);
            try
            {
                var pid = Spawner.Start(new SpawnRequest(Recorder.Command, AgentEnvironment.Standing(profile, config), "/", "/dev/null", "/dev/null",
                    (int)pipe.ClientSafePipeHandle.DangerousGetHandle()));
                pipe.DisposeLocalCopyOfClientHandle();
                return new WaitingRecorder(profile.Name, pid, pipe);
            }
            catch
            {
                pipe.Dispose();
                throw;
            }
        }

        public bool TrySend(byte[] order)
        {
            try
            {
                pipe.Write(order);
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        }

        public void Dispose() => pipe.Dispose();
    }
}
