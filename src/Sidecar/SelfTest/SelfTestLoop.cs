using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.SelfTest;

/// <summary>Runs the checks at the start, every few minutes, and when somebody asks; says who may not be sent work.</summary>
internal sealed partial class SelfTestLoop(
    IEnumerable<ICheck> checks, Availability availability, SidecarConfig config, TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<SelfTestLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2), LookAgain = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim _turn = new(1);
    private SelfTestOutcome? _last;
    private string _said = "";

    public SelfTestOutcome? Last => Volatile.Read(ref _last);

    /// <summary>Until the first test has run, connected is not available.</summary>
    public void Begin() => availability.Say(AvailabilitySource.Untested, new Closure("unavailable", "the self-test has not run yet"));

    /// <summary>The outcome for the heartbeat.</summary>
    public SelfTestReport? Report() => Last is { } last
        ? new SelfTestReport
        {
            Passed = last.Passed,
            AgeSeconds = Math.Max(0, (time.GetUtcNow().ToUnixTimeMilliseconds() - last.AtUnixMs) / 1000),
            Failed = last.Passed ? null : [.. last.Failures.Select(check => check.Name).Distinct()],
        }
        : null;

    /// <summary>Runs every check now. One test at a time; whoever comes meanwhile waits for a fresh one.</summary>
    public async Task<SelfTestOutcome> RunOnceAsync(CancellationToken token)
    {
        await _turn.WaitAsync(token);
        try
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
            using var alarm = time.CancelAfter(limited, Limit);
            var found = await Task.WhenAll(checks.Select(check => RunAsync(check, limited.Token)));
            var outcome = new SelfTestOutcome([.. found.SelectMany(results => results)], time.GetUtcNow().ToUnixTimeMilliseconds());
            Volatile.Write(ref _last, outcome);
            Tell(outcome);
            return outcome;
        }
        finally
        {
            _turn.Release();
        }
    }

    protected override async Task RunAsync(CancellationToken stopping)
    {
        while (true)
        {
            var outcome = await RunOnceAsync(stopping);

            // What failed may be mended any moment, and a machine that could work again should.
            var pause = outcome.Passed || config.SelfTest.Interval < LookAgain ? config.SelfTest.Interval : LookAgain;
            pause += pause * (Random.Shared.NextDouble() / 10);
            Pulse.Beat(pause + Limit + TimeSpan.FromSeconds(30));
            await Task.Delay(pause, time, stopping);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A check that breaks is a check that failed; it must not end the daemon.")]
    private static async Task<IReadOnlyList<CheckResult>> RunAsync(ICheck check, CancellationToken token)
    {
        try
        {
            return await check.RunAsync(token);
        }
        catch (OperationCanceledException)
        {
            return [new CheckResult(check.Name, CheckResult.Failed, $"no answer within {Limit}", "look at what it asks; see 'fleet-sidecar doctor'")];
        }
        catch (Exception fault)
        {
            return [new CheckResult(check.Name, CheckResult.Failed, $"the check itself broke: {Printable.Cut(fault.Message, 300)}", "report it; the other checks count as they are")];
        }
    }

    private void Tell(SelfTestOutcome outcome)
    {
        var failures = string.Join("; ", outcome.Failures.Select(check => $"{check.Name}: {check.Detail}"));
        availability.Say(AvailabilitySource.SelfTest, outcome.Passed ? null : new Closure("unavailable", $"the self-test fails: {Printable.Cut(failures, 400)}"));
        availability.Say(AvailabilitySource.Untested, null);
        if (failures == _said && Last is not null)
        {
            return;
        }

        if (!outcome.Passed)
        {
            LogSelfTestFailed(failures);
        }
        else if (_said.Length > 0)
        {
            LogSelfTestPassed();
        }

        _said = failures;
    }

    [LoggerMessage(EventIds.SelfTestFailed, LogLevel.Warning, "the self-test fails, no work is taken: {Failures}; tested again in half a minute, 'fleet-sidecar doctor' says what to do", EventName = "SelfTestFailed")]
    private partial void LogSelfTestFailed(string failures);

    [LoggerMessage(EventIds.SelfTestPassed, LogLevel.Information, "the self-test passes again, work is taken", EventName = "SelfTestPassed")]
    private partial void LogSelfTestPassed();
}
