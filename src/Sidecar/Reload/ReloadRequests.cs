using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace FleetSidecar.Reload;

/// <summary>Who asked for a reload: SIGHUP, which nobody waits for, or the control socket, which wants to hear what came of it.</summary>
/// <remarks>Heard from the first moment of the process on; until the loop runs they wait. Whatever waits is answered by one reading
/// of the files, which comes after all of it was asked, so that nothing is lost however many come.</remarks>
internal sealed class ReloadRequests : IDisposable
{
    // More than the control socket serves at once; of signals one that waits is as good as many, so a full channel drops them.
    private const int Most = 64;

    private readonly Channel<TaskCompletionSource<ReloadReport>?> _asked = Channel.CreateBounded<TaskCompletionSource<ReloadReport>?>(Most);
    private readonly PosixSignalRegistration _registration;

    public ReloadRequests() => _registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
    {
        signal.Cancel = true; // Else the process ends.
        _asked.Writer.TryWrite(null);
    });

    public async Task<ReloadReport> AskAsync(CancellationToken token)
    {
        var answer = new TaskCompletionSource<ReloadReport>(TaskCreationOptions.RunContinuationsAsynchronously);
        await _asked.Writer.WriteAsync(answer, token);
        return await answer.Task.WaitAsync(token);
    }

    /// <summary>Waits for the first and takes all that are there.</summary>
    public async Task<IReadOnlyList<TaskCompletionSource<ReloadReport>?>> NextAsync(CancellationToken token)
    {
        var all = new List<TaskCompletionSource<ReloadReport>?> { await _asked.Reader.ReadAsync(token) };
        while (_asked.Reader.TryRead(out var more))
        {
            all.Add(more);
        }

        return all;
    }

    public void Dispose() => _registration.Dispose();
}

/// <summary>What came of a reload.</summary>
/// <param name="File">The configuration file.</param>
/// <param name="Changed">What is in force since.</param>
/// <param name="NeedsRestart">What the files say and the daemon does not do yet.</param>
/// <param name="Problem">Why nothing was changed, or null.</param>
/// <param name="Hint">What to do about it.</param>
/// <param name="AtUnixMs">When.</param>
internal sealed record ReloadReport(string File, IReadOnlyList<ConfigChange> Changed, IReadOnlyList<string> NeedsRestart, string? Problem, string? Hint, long AtUnixMs);
