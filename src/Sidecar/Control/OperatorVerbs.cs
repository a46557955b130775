using FleetSidecar.Drain;
using FleetSidecar.Protocol;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Control;

/// <summary>What an operator may ask the daemon to do: pause, drain, resume, and look at itself.</summary>
internal sealed class OperatorVerbs(IntakeControl intake, SelfTestLoop selfTest, IEnumerable<ICheck> checks)
{
    private const int LongestReason = 500;
    private static readonly TimeSpan Longest = TimeSpan.FromDays(30);

    public async Task<ControlResponse> AnswerAsync(ControlRequest request, CancellationToken token)
    {
        TimeSpan? limit = request.Seconds is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, 0, (long)Longest.TotalSeconds)) : null;
        var reason = request.Text?.Trim() is { Length: > 0 } text ? Printable.Cut(text, LongestReason) : null;
        switch (request.Verb)
        {
            case "pause" or "drain" when request.Seconds < 0:
                return ControlResponse.Refuse("seconds must be 0 or more", "leave them out for a pause or a drain without an end");
            case "pause" when reason is null:
                return ControlResponse.Refuse("a pause needs a reason", "say for those who find it paused: --reason TEXT");
            case "pause" when intake.IsDraining:
                return ControlResponse.Refuse("this machine is being drained, which is more than a pause", "'fleet-sidecar resume' ends the drain first");
            case "pause":
                await intake.PauseAsync(limit, reason, token);
                break;
            case "drain":
                await intake.DrainAsync(limit, reason, token);
                break;
            case "resume":
                await intake.ResumeAsync(token);
                break;
            case "doctor":
                return new ControlResponse { Ok = true, Doctor = await LookAsync(request.Fix, token) };
        }

        return new ControlResponse { Ok = true };
    }

    private async Task<DoctorReport> LookAsync(bool fix, CancellationToken token)
    {
        List<string> mended = fix ? [.. checks.Select(check => check.Fix()).OfType<string>()] : [];
        var outcome = await selfTest.RunOnceAsync(token);
        return new DoctorReport(outcome.Checks.All(check => check.Status != CheckResult.Failed), outcome.Checks, mended);
    }
}
