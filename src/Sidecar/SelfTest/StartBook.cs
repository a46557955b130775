using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.SelfTest;

/// <summary>The starts of the daemon, counted in a small file beside the store, because the store may be what it crashes on.</summary>
internal sealed class StartBook
{
    private const int Kept = 100, LargestFile = 64 * 1024;
    private readonly Lock _turn = new();
    private readonly string _file;
    private readonly List<StartRecord> _starts;

    /// <summary>Counts this start; the first thing that a daemon does.</summary>
    public StartBook(SidecarConfig config, TimeProvider time)
    {
        _file = Path.Combine(config.StateDirectory, "starts.json");
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var earlier = Read();
        Against = CrashLoopRules.Against(earlier, now, config.SafeMode);
        _starts = [.. earlier.TakeLast(Kept - 1), new StartRecord { AtUnixMs = now }];
        Write();
    }

    /// <summary>Starts in a row before this one that crashed or were killed before they had lasted.</summary>
    public int Against { get; }

    /// <summary>Why this start could not be counted, or null.</summary>
    public string? Problem { get; private set; }

    /// <summary>This start lasted, or was asked to end: it is no crash.</summary>
    public void Approve()
    {
        lock (_turn)
        {
            if (!_starts[^1].Good)
            {
                _starts[^1] = _starts[^1] with { Good = true };
                Write();
            }
        }
    }

    // A list that cannot be read is not worth a start: the count begins again here.
    private List<StartRecord> Read() =>
        OutsideFile.Read(_file, LargestFile, followLink: false) is { } bytes ? [.. (OutsideJson.Read(bytes, StartJson.Default.ListStartRecord) ?? []).Where(start => start is not null)] : [];

    private void Write()
    {
        try
        {
            ClearPlace.ForFile(_file);
            AtomicFile.Write(_file, JsonSerializer.Serialize(_starts, StartJson.Default.ListStartRecord));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            Problem = fault.Message;
        }
    }
}
