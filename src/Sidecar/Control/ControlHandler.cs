using FleetSidecar.Agents;
using FleetSidecar.Agents.Failover;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Deadman;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Link;
using FleetSidecar.Outbox;
using FleetSidecar.Protocol;
using FleetSidecar.Reload;
using FleetSidecar.Retention;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Control;

/// <summary>Answers the questions that come over the socket.</summary>
internal sealed class ControlHandler(
    SidecarConfig config, RunLoop runs, RunStore store, LinkLoop link, OutboxQueue outbox, HubInbox inbox, Berths berths, AgentUnits units, StoreHealth health,
    OperatorVerbs verbs, MemberVerbs members, Availability availability, SelfTestLoop selfTest, ReloadLoop reload, RetentionLoop retention, Redactor redactor, TimeProvider time)
{
    private const int Recent = 50;
    private readonly long _started = time.GetTimestamp();

    public async Task<ControlResponse> AnswerAsync(ControlRequest request, Caller caller, CancellationToken token) => request.Verb switch
    {
        not "task" when caller.IsAgent => ControlResponse.Refuse("agents may only speak for their own run here", "operators use the socket control.sock beside this one"),
        "status" => new ControlResponse { Ok = true, Status = Status() },
        "runs" => new ControlResponse { Ok = true, Runs = [.. store.LoadRecent(Recent).Select(View)] },
        "run" => FindRun(request.Run ?? ""),
        "task" => await HearAgentAsync(request, caller, token),
        "pause" or "drain" or "resume" or "doctor" => await verbs.AnswerAsync(request, token),
        "supervise" => await members.AnswerAsync(request, token),
        "reload" => new ControlResponse { Ok = true, Reload = await reload.AskAsync(token) },
        _ => ControlResponse.Refuse($"unknown verb '{Printable.Cut(request.Verb, 40)}'", "use the same version of fleet-sidecar for daemon and command line"),
    };

    private StatusView Status()
    {
        var view = link.View;
        var open = runs.Snapshot;
        return new StatusView
        {
            Agent = config.Agent.Id,
            Version = ProgramVersion.Text,
            Pid = Environment.ProcessId,
            UptimeSeconds = (long)time.GetElapsedTime(_started).TotalSeconds,
            Hub = new LinkReport(config.Hub.Url, view.State.ToString().ToLowerInvariant(), view.Detail, view.ProtocolVersion, view.Since.ToUnixTimeMilliseconds(), view.Attempts),
            Store = new StoreReport(config.DatabaseFile, health.DamagedFile, runs.StoreProblem ?? berths.Problem),
            Available = availability.Closed is null,
            UnavailableReason = availability.Closed?.Detail,
            Intake = new IntakeReport(IntakeRules.Word(runs.Intake.Mode), runs.Intake.Reason, runs.Intake.SinceUnixMs == 0 ? null : runs.Intake.SinceUnixMs, runs.Intake.UntilUnixMs),
            SelfTest = selfTest.Report() is { } test ? new SelfTestView(test.Passed, test.AgeSeconds, test.Failed ?? []) : null,
            Breakers = runs.Breakers.IsEmpty ? null : [.. runs.Breakers.Select(Show)],
            Config = reload.Last,
            ConfigFingerprint = config.Origin.Files?.Fingerprint,
            Deadman = DeadmanMemory.Of(config.Origin.Path, config.StateDirectory).Read(),
            Slots = config.Agent.MaxConcurrentRuns,
            SlotsTaken = open.Count(run => run.TakesSlot),
            OutboxMessages = outbox.Count,
            RefusedFrames = inbox.RefusedFrames,
            Runs = [.. open.Select(View)],
            Incidents = store.LoadIncidents(),
            Kept = retention.View,
            Members = members.NotWell,
        };
    }

    private static BreakerView Show(Breaker breaker) =>
        new(breaker.Profile, breaker.Failures, breaker.OpenedAtUnixMs + (long)BreakerRules.OpenFor.TotalMilliseconds, breaker.LastCode);

    private ControlResponse FindRun(string id)
    {
        var found = store.LoadRecent(1000).FirstOrDefault(run => run.Id == id || run.TaskId == id);
        return found is not null
            ? new ControlResponse { Ok = true, Runs = [View(found)] }
            : ControlResponse.Refuse($"there is no run '{Printable.Cut(id, 140)}'", "'fleet-sidecar runs' lists the runs of this machine");
    }

    private async Task<ControlResponse> HearAgentAsync(ControlRequest request, Caller caller, CancellationToken token)
    {
        // Nonces are 128 random bits; comparing them in the set of open runs tells an attacker nothing useful about the others.
        var run = runs.Snapshot.FirstOrDefault(open => request.Nonce is { } nonce && SameText(open.Nonce, nonce));
        if (run is null || run.State.IsFinal())
        {
            return ControlResponse.Refuse("this nonce belongs to no run that is going on",
                "the task was cancelled, superseded or is over; stop working on it");
        }

        // A nonce that was told, or found somewhere, is soon sent. Where a signal's agent works nobody here knows.
        if (config.AgentsInUnits && caller.IsAgent && run.Profile.Mode == WakeMode.Run && caller.Unit != units.NameOf(run.Id))
        {
            return ControlResponse.Refuse("only a process of the run itself may speak for it", "call fleet-sidecar task from the agent that was woken for the task");
        }

        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        Func<RunFacts, RunFacts>? apply = request.Action switch
        {
            "start" => facts => facts with { Received = true },
            "progress" => facts => facts with { Received = true, SpokeAtUnixMs = now, Activity = Math.Max(1, facts.Activity) },
            "complete" => facts => Reported(facts, new AgentReport(AgentReport.Success, Limit(request.Text), null)),
            "fail" => facts => Reported(facts, new AgentReport(AgentReport.Failed, null, Limit(request.Text))),
            "handoff" => facts => Reported(facts, new AgentReport(AgentReport.HandOff, null, Limit(request.Text))),
            _ => null,
        };
        if (apply is null)
        {
            return ControlResponse.Refuse("unknown task action", "use start, progress, complete, fail or handoff");
        }

        if (run.Facts.Report is { } said && request.Action is "complete" or "fail" or "handoff" && run.Facts.Report is not null)
        {
            // Said twice because the first answer was lost is no contradiction.
            return run.Facts.Report == apply(run.Facts with { Report = null }).Report
                ? new ControlResponse { Ok = true, Runs = [View(run)] }
                : ControlResponse.Refuse($"this run has already reported '{run.Facts.Report.Status}'", "the first report stands");
        }

        var stored = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        await runs.PostAsync(new RunInput.AgentSpoke(run.Id, apply, stored), token);
        await stored.Task.WaitAsync(token);
        if (request.Action == "progress")
        {
            runs.Progressed?.Invoke(new SidecarMessage.TaskProgress
            {
                TaskId = run.TaskId, Generation = run.Generation, Progress = request.Percent is { } percent ? Math.Clamp(percent, 0, 100) : null,
                Message = request.Text is null ? null : Printable.Cut(redactor.Clean(request.Text), WireLimits.MaxReason - 1),
            });
        }

        return new ControlResponse { Ok = true, Runs = [View(run)] };
    }

    private static RunFacts Reported(RunFacts facts, AgentReport report) => facts with { Received = true, Report = facts.Report ?? report };

    private string? Limit(string? text) => redactor.Tail(text, WireLimits.MaxResultOutput);

    private static bool SameText(string left, string right) => System.Security.Cryptography.CryptographicOperations.FixedTimeEquals(
        System.Text.Encoding.UTF8.GetBytes(left), System.Text.Encoding.UTF8.GetBytes(right));

    private RunView View(Run run) => new()
    {
        RunId = run.Id,
        TaskId = run.TaskId,
        Generation = run.Generation,
        State = run.State.Word(),
        Outcome = run.State == RunState.Settled ? Outcome(run) : null,
        WakeLevel = run.WakeLevel,
        Pid = run.Process?.Pid,
        ExitCode = run.Facts.End?.ExitCode,
        OutputDroppedBytes = run.Facts.End?.OutputDroppedBytes,
        Branch = run.Facts.Branch,
        Commit = run.Facts.Commit,
        BaseCommit = run.Facts.BaseCommit,
        PullRequest = run.Facts.PullRequest?.Url,
        PullRequestState = run.Facts.PullRequest?.State,
        Diff = run.Facts.Diff,
        VerificationReport = run.Facts.Verification,
        Failure = run.Facts.Failure is { } failure ? $"{failure.Code}: {failure.Reason}" : run.Facts.SupersededBy ?? run.Facts.CancelReason,
        Reported = (run.Facts.Report ?? run.Facts.EarlierReport) is { } said ? RunMessages.Words(said) : null,
        CreatedAtUnixMs = run.CreatedAtUnixMs,
        StateSinceUnixMs = run.StateSinceUnixMs,
        Directory = Path.Combine(config.RunsDirectory, run.Id),
        Workspace = run.Facts.Workspace,
        WakeAttempt = run.WakeAttempt,
    };

    private static string Outcome(Run run) => run.Facts switch
    {
        { SupersededBy: not null } => "superseded",
        { CancelReason: not null } => "cancelled",
        { Failure: not null } => "failed",
        { Report.Status: AgentReport.HandOff } => "handed_off",
        _ => "completed",
    };
}
