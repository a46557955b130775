using System.Text.Json;
using System.Text.Json.Serialization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>Who is working in a mirror, beside it in a file, so that a start after a crash can tell a leftover from a neighbour.</summary>
/// <remarks>Within the daemon a mirror has its turn, and the state directory has one daemon. What can still be there is git itself,
/// which outlives a daemon that was killed, and the lock files of a git that was killed: both would spoil every later fetch.</remarks>
internal sealed class MirrorOwner : IDisposable
{
    private readonly string _file;

    private MirrorOwner(string file) => _file = file;

    public static async Task<MirrorOwner> TakeAsync(string mirror, string address, ProcessWatch watch, CancellationToken token)
    {
        var file = $"{mirror}.owner";
        if (Directory.Exists(mirror) && File.Exists(file))
        {
            await ClearAsync(mirror, watch, token);
        }

        if (Directory.Exists(file))
        {
            Directory.Delete(file, recursive: true); // Nothing that we make there.
        }

        AtomicFile.Write(file, JsonSerializer.Serialize(new Note(ProcessIdentity.Of(Environment.ProcessId)!, address), OwnerJson.Default.Note));
        return new MirrorOwner(file);
    }

    public void Dispose() => File.Delete(_file);

    // The file is there although nobody has the turn: whoever wrote it is gone.
    private static async Task ClearAsync(string mirror, ProcessWatch watch, CancellationToken token)
    {
        foreach (var leftover in WorkingDirectories.ProcessesIn(mirror))
        {
            Signals.ToProcess(leftover.Pid, Signals.Kill);
            await watch.EndOfAsync(leftover).WaitAsync(token);
        }

        GitLocks.Remove(mirror);
    }

    internal sealed record Note(ProcessIdentity Process, string Address);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(MirrorOwner.Note))]
internal sealed partial class OwnerJson : JsonSerializerContext;
