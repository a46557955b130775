using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.SelfTest;

/// <summary>Keeps a sidecar that crashes again and again connected and quiet: it says why, takes nothing, and its agents go on.</summary>
internal sealed partial class SafeMode(SidecarConfig config, StartBook starts, Availability availability, TimeProvider time, ILogger<SafeMode> log) : IDisposable
{
    private readonly Lock _turn = new();
    private ITimer? _healthy, _leave;

    /// <summary>Why nothing is taken, or null outside safe mode.</summary>
    public string? Reason { get; private set; }

    /// <summary>Decides; part of the start, before anything can be accepted.</summary>
    public void Begin()
    {
        var options = config.SafeMode;
        if (CrashLoopRules.IsCrashLoop(starts.Against, options))
        {
            Reason = $"safe mode: {starts.Against + 1} starts within {options.Within} and none lasted {options.HealthyAfter}";
            availability.Say(AvailabilitySource.SafeMode, new Closure("safe_mode", Reason));
            LogSafeMode(Reason, options.LeaveAfter);
            _leave = time.CreateTimer(_ => Leave(), null, options.LeaveAfter, Timeout.InfiniteTimeSpan);
        }

        if (starts.Problem is { } problem)
        {
            LogStartsNotKept(problem);
        }

        _healthy = time.CreateTimer(_ => Approve(), null, options.HealthyAfter, Timeout.InfiniteTimeSpan);
    }

    /// <summary>This start lasted, or was asked to end: it is no crash.</summary>
    public void Approve() => starts.Approve();

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

    [LoggerMessage(EventIds.SafeMode, LogLevel.Error, "{Reason}; connected but taking no work, agents keep working; leaving safe mode in {After}, or with 'fleet-sidecar resume'. The reason for the crashes is further up", EventName = "SafeMode")]
    private partial void LogSafeMode(string reason, TimeSpan after);

    [LoggerMessage(EventIds.SafeModeLeft, LogLevel.Information, "safe mode is over, work is taken again", EventName = "SafeModeLeft")]
    private partial void LogSafeModeLeft();

    [LoggerMessage(EventIds.StartsNotKept, LogLevel.Warning, "this start cannot be counted: {Message}; a crash loop would not be noticed", EventName = "StartsNotKept")]
    private partial void LogStartsNotKept(string message);
}
