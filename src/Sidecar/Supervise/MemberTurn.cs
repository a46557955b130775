using System.Security.Cryptography;
using System.Text.Json;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>What became of a turn, for the log.</summary>
internal sealed record TurnReport(IReadOnlyList<MemberEvent> Events)
{
    /// <summary>How it was started: by <c>command</c> or <c>resumeCommand</c>.</summary>
    public string? Started { get; init; }

    public MemberFaultException? NotStarted { get; init; }

    /// <summary>Why its record is not on disk.</summary>
    public string? NotKept { get; init; }
}

/// <summary>One look at one member and what follows from it: look, ask the rules, write down, start.</summary>
internal sealed class MemberTurn(MemberHome home, TimeProvider time)
{
    public async Task<TurnReport> TakeAsync(Member member, string? hold, CancellationToken token)
    {
        var look = await member.Kind.LookAsync(member.Options, member.State.Kept, token);
        var moment = new MemberMoment(time.GetUtcNow().ToUnixTimeMilliseconds(), ProcessIdentity.CurrentBootId, hold, HeartbeatAt(member.Options));
        var verdict = SuperviseRules.Next(member.State, look, moment, member.Options);
        member.State = verdict.State;
        var report = new TurnReport(verdict.Events) { NotKept = Keep(member) };
        return verdict.Start ? await StartAsync(member, moment, report, token) : report;
    }

    private async Task<TurnReport> StartAsync(Member member, MemberMoment moment, TurnReport report, CancellationToken token)
    {
        var before = member.State;
        var resume = SuperviseRules.Resumes(before, member.Options);
        try
        {
            await member.Kind.ClearAsync(member.Options, before.Kept, token);
            member.State = SuperviseRules.Starting(before, moment, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), resume);
            if (Keep(member) is { } problem)
            {
                member.State = before; // What is not on disk was not begun.
                throw new MemberFaultException($"its record cannot be written: {problem}", "mend the state directory");
            }

            CrashPoints.At(CrashPointName.MemberNoted);
            var process = await member.Kind.StartAsync(member.Options, member.State.Kept, resume ? member.Options.ResumeCommand : member.Options.Command, token);
            member.State = member.State with { Kept = member.State.Kept.With(process), Condition = MemberCondition.Running, Detail = "started just now", StartFault = null, Pid = process?.Pid, SinceUnixMs = moment.Now };
            return report with { Started = resume ? "resumeCommand" : "command", NotKept = Keep(member) };
        }
        catch (MemberFaultException fault)
        {
            member.State = SuperviseRules.NotStarted(member.State, moment with { Now = time.GetUtcNow().ToUnixTimeMilliseconds() }, fault.Message);
            return report with { NotStarted = fault, NotKept = Keep(member) };
        }
    }

    private string? Keep(Member member)
    {
        var record = JsonSerializer.Serialize(member.State.Kept, SuperviseJson.Default.MemberRecord);
        if (record == member.Written)
        {
            return null;
        }

        try
        {
            home.Write(member.Options, record);
            member.Written = record;
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            member.Written = null; // Nobody knows what is there now.
            return fault.Message;
        }
    }

    // The time of change and no content: any program can touch a file, and a half-written one still says that it lives.
    private static long? HeartbeatAt(MemberOptions member)
    {
        try
        {
            return member.HeartbeatFile is { } file && RealPath.Of(file) is { } real && PathFacts.Of(real) is { } facts ? facts.Written.ToUnixTimeMilliseconds() : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
