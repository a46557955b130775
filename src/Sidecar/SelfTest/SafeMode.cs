using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Files;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.SelfTest;

/// <summary>Keeps a sidecar that crashes again and again connected and quiet: it says why, takes nothing, and its agents go on.</summary>
/// <remarks>The starts are counted in a small file beside the store, because the store may be what it crashes on.</remarks>
internal sealed partial class SafeMode(SidecarConfig config, Availability availability, TimeProvider time, ILogger<SafeMode> log) : IDisposable
{
    private const int Kept = 100, LargestFile = 64 * 1024;
    private readonly Lock _turn = new();
    private List<StartRecord> _starts = [];
    private ITimer? _healthy, _leave;

    private string File => Path.Combine(config.StateDirectory, "starts.json");

    /// <summary>Why nothing is taken, or null outside safe mode.</summary>
    public string? Reason { get; private set; }

    /// <summary>Counts this start and decides; part of the start, before anything can be accepted.</summary>
    public void Begin()
    {
        var options = config.SafeMode;
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var earlier = Read();
        if (CrashLoopRules.IsCrashLoop(earlier, now, options))
        {
            Reason = $"safe mode: {CrashLoopRules.Against(earlier, now, options) + 1} starts within {options.Within} and none lasted {options.HealthyAfter}";
            availability.Say(AvailabilitySource.SafeMode, new Closure("safe_mode", Reason));
            LogSafeMode(Reason, options.LeaveAfter);
            _leave = time.CreateTimer(_ => Leave(), null, options.LeaveAfter, Timeout.InfiniteTimeSpan);
        }

        _starts = [.. earlier.TakeLast(Kept - 1), new StartRecord { AtUnixMs = now }];
        Write();
        _healthy = time.CreateTimer(_ => Approve(), null, options.HealthyAfter, Timeout.InfiniteTimeSpan);
    }

    /// <summary>This start lasted, or was asked to end: it is no crash.</summary>
    public void Approve()
    {
        lock (_turn)
        {
            if (_starts.Count > 0 && !_starts[^1].Good)
            {
                _starts[^1] = _starts[^1] with { Good = true };
                Write();
            }
        }
    }

    /// <summary>Takes work again: after the healthy time, or because the operator says so. False outside safe mode.</summary>
    public bool Leave()
    {
        lock (_turn)
        {
            if (Reason is null)
            {
                return false;
            }

            Reason = null;
        }

        Approve();
        availability.Say(AvailabilitySource.SafeMode, null);
        LogSafeModeLeft();
        return true;
    }

    public void Dispose()
    {
        _healthy?.Dispose();
        _leave?.Dispose();
    }

    private List<StartRecord> Read()
    {
        try
        {
            return OutsideFile.Read(File, LargestFile, followLink: false) is { } bytes ? JsonSerializer.Deserialize(bytes, StartJson.Default.ListStartRecord) ?? [] : [];
        }
        catch (JsonException)
        {
            return []; // Not worth a start: it is counted anew from here.
        }
    }

    private void Write()
    {
        try
        {
            AtomicFile.Write(File, JsonSerializer.Serialize(_starts, StartJson.Default.ListStartRecord));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            LogStartsNotKept(fault.Message);
        }
    }

    [LoggerMessage(EventIds.SafeMode, LogLevel.Error, "{Reason}; connected but taking no work, agents keep working; leaving safe mode in {After}, or with 'fleet-sidecar resume'. The reason for the crashes is further up", EventName = "SafeMode")]
    private partial void LogSafeMode(string reason, TimeSpan after);

    [LoggerMessage(EventIds.SafeModeLeft, LogLevel.Information, "safe mode is over, work is taken again", EventName = "SafeModeLeft")]
    private partial void LogSafeModeLeft();

    [LoggerMessage(EventIds.StartsNotKept, LogLevel.Warning, "this start cannot be counted: {Message}; a crash loop would not be noticed", EventName = "StartsNotKept")]
    private partial void LogStartsNotKept(string message);
}
