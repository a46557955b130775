using System.Text;
using FleetSidecar.Control;
using FleetSidecar.Deadman;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Cli;

/// <summary>How answers look to people.</summary>
internal static class Output
{
    private const long LatestTime = 253_402_300_799_000; // The last second of the year 9999, in milliseconds.

    public static string Status(StatusView status, DateTimeOffset now)
    {
        var text = new StringBuilder();
        text.AppendLine($"agent     {status.Agent}  (fleet-sidecar {status.Version}, pid {status.Pid}, up {Age(status.UptimeSeconds)})");
        var protocol = status.Hub.ProtocolVersion > 0 ? $", protocol {status.Hub.ProtocolVersion}" : "";
        text.AppendLine($"hub       {status.Hub.State.ToUpperInvariant()}  {status.Hub.Url}{protocol}, for {Age((now.ToUnixTimeMilliseconds() - status.Hub.SinceUnixMs) / 1000)}");
        if (status.Hub.State != "up")
        {
            text.AppendLine($"          {status.Hub.Detail} (attempt {status.Hub.Attempts})");
        }

        text.AppendLine($"store     {(status.Store.Problem is null ? "ok" : "PROBLEM")}  {status.Store.File}");
        if (status.Store.Problem is { } problem)
        {
            text.AppendLine($"          {problem}");
        }

        if (status.Store.DamagedFile is { } damaged)
        {
            text.AppendLine($"          DAMAGED file was moved aside at this start: {damaged}");
        }

        if (status.Config is { Problem: { } wrong })
        {
            text.AppendLine($"config    NOT RELOADED: {wrong}");
        }

        if (status.Config is { NeedsRestart: { Count: > 0 } waiting })
        {
            text.AppendLine($"config    needs a restart: {string.Join(", ", waiting)}");
        }

        text.Append(Deadman(status.Deadman));
        text.AppendLine($"work      {(status.Available ? "taken" : "NOT TAKEN")}{(status.Intake.Mode == "open" ? "" : $", {status.Intake.Mode}{Until(status.Intake)}")}");
        if (status.UnavailableReason is { } reason)
        {
            text.AppendLine($"          {reason}");
        }

        text.AppendLine($"self-test {(status.SelfTest is not { } test ? "not run yet" : $"{(test.Passed ? "ok" : $"FAILED ({string.Join(", ", test.Failed)})")}, {Age(test.AgeSeconds)} ago")}");
        foreach (var breaker in status.Breakers ?? [])
        {
            text.AppendLine($"breaker   {breaker.Profile}  {breaker.Failures} failures, the last one {breaker.LastCode}{(breaker.OpenUntilUnixMs is { } open ? $"; open until {Time(open)}" : "")}");
        }

        text.AppendLine($"runs      {status.SlotsTaken} of {status.Slots} slots taken, {status.OutboxMessages} messages unacknowledged by the hub");
        text.Append(Runs(status.Runs, now));
        text.Append(KeptOutput.Lines(status.Kept));
        text.Append(SuperviseCommands.Lines(status.Members ?? [], "member    "));
        foreach (var incident in status.Incidents)
        {
            text.AppendLine($"incident  {incident.Code}  {Time(incident.Timestamp)}  {incident.Detail}");
        }

        return text.ToString();
    }

    /// <summary>What the dead man's switch did last; nothing where it never had to do anything.</summary>
    public static string Deadman(DeadmanState? deadman) => deadman is not { LastAction: { } action, LastActionAtUnixMs: { } at } ? ""
        : $"deadman   {action} {Time(at)}: {deadman.LastDetail}{(deadman.Condition == DeadmanCondition.Fine ? "" : $"; now {deadman.Condition}")}\n";

    public static string Doctor(DoctorReport report)
    {
        var text = new StringBuilder();
        foreach (var done in report.Fixed)
        {
            text.AppendLine($"fixed     {done}");
        }

        foreach (var check in report.Checks)
        {
            text.AppendLine($"{(check.Status == CheckResult.Failed ? "FAILED" : check.Status),-9} {check.Name,-10} {check.Detail}");
            text.Append(check.Hint is { } hint ? $"{"",-20} {hint}\n" : "");
        }

        return text.ToString();
    }

    private static string Until(IntakeReport intake) => intake.UntilUnixMs is not { } at ? "" : intake.Mode == "draining" ? $", what still runs at {Time(at)} is stopped" : $" until {Time(at)}";

    // Whatever stands in a store, a time is shown and nothing breaks.
    public static string Time(long unixMs) => $"{DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(unixMs, 0, LatestTime)):u}";

    public static string Runs(IReadOnlyList<RunView> runs, DateTimeOffset now)
    {
        var text = new StringBuilder();
        foreach (var run in runs)
        {
            var age = Age((now.ToUnixTimeMilliseconds() - run.StateSinceUnixMs) / 1000);
            text.Append($"  {run.RunId}  {run.TaskId}  g{run.Generation}  {run.Outcome ?? run.State}  for {age}");
            text.Append(run.Pid is { } pid && run.ExitCode is null && run.Outcome is null ? $"  pid {pid}" : "");
            text.Append(run.Branch is { } branch ? $"  {branch}" : "");
            text.AppendLine(run.Failure is { } failure ? $"  {failure}" : "");
        }

        return text.ToString();
    }

    private static string Age(long seconds) => TimeSpan.FromSeconds(Math.Clamp(seconds, 0, LatestTime / 1000)) switch
    {
        { TotalMinutes: < 1 } age => $"{age.Seconds} s",
        { TotalHours: < 1 } age => $"{age.Minutes} min {age.Seconds} s",
        { TotalDays: < 1 } age => $"{age.Hours} h {age.Minutes} min",
        var age => $"{age.Days} d {age.Hours} h",
    };
}
