using Microsoft.Extensions.Logging;

namespace FleetSidecar.Supervise;

/// <summary>What the loop says. A pane's text is in none of it.</summary>
internal sealed partial class SuperviseLoop
{
    // Whoever has a service manager above him: what he starts is in his control group and ends with it, unless it is a unit of its own.
    private void WarnOfServiceManager()
    {
        if (Environment.GetEnvironmentVariable("INVOCATION_ID") is { Length: > 0 } && config.Supervise.Members.Where(member => member.Kind != MemberKind.Unit).Select(member => member.Name).ToList() is { Count: > 0 } ours)
        {
            LogMembersEndWithUs(string.Join(", ", ours));
        }
    }

    private void Say(Member member, TurnReport report)
    {
        var name = member.Options.Name;
        foreach (var happened in report.Events)
        {
            switch (happened.Code)
            {
                case MemberNews.Down: LogMemberDown(name, happened.Detail, Next(member, report)); break;
                case MemberNews.Stuck: LogMemberStuck(name, happened.Detail, Next(member, report)); break;
                case MemberNews.GivenUp: LogMemberGivenUp(name, happened.Detail, member.Options.RestartWindow); break;
                case MemberNews.Unclear: LogMemberUnclear(name, happened.Detail); break;
                case MemberNews.HeartbeatStale: LogHeartbeatStale(name, happened.Detail); break;
                case MemberNews.HeartbeatFresh or MemberNews.Recovered: LogMemberRecovered(name, happened.Detail); break;
            }
        }

        if (report.Started is { } by)
        {
            LogMemberStarted(name, member.Options.Kind == MemberKind.Unit ? "systemctl" : by, member.State.Kept.Starts.Count, member.Options.Restarts);
        }

        if (report.NotStarted is { } fault)
        {
            LogMemberNotStarted(name, fault.Message, fault.Hint, SuperviseRules.Delay(member.State.Kept.Streak, member.Options));
        }

        SayNotKept(member, report.NotKept);
    }

    private string Next(Member member, TurnReport report) =>
        report.Started is not null || report.NotStarted is not null ? "starting it"
        : Hold is { } hold ? $"not restarted: {hold}"
        : member.State.Condition == MemberCondition.GivenUp ? "giving it up"
        : member.State.NextTryUnixMs is { } next ? $"starting it in {Math.Max(0, next - Now) / 1000.0:0.0} s"
        : "the first look only observes";

    private void SayNotKept(Member member, string? problem)
    {
        if (problem is null)
        {
            _notKept.Remove(member.Options.Name);
        }
        else if (_notKept.Add(member.Options.Name))
        {
            LogMemberNotKept(member.Options.Name, problem);
        }
    }

    [LoggerMessage(EventIds.MemberDown, LogLevel.Warning, "member {Member} is down: {Why}; {Next}", EventName = "MemberDown")]
    private partial void LogMemberDown(string member, string why, string next);

    [LoggerMessage(EventIds.MemberStarted, LogLevel.Information, "member {Member} started by its {Command} ({Starts} of {Most} starts in its window)", EventName = "MemberStarted")]
    private partial void LogMemberStarted(string member, string command, int starts, int most);

    [LoggerMessage(EventIds.MemberNotStarted, LogLevel.Warning, "member {Member} was not started: {Why}; {Hint}; trying again in {Delay}", EventName = "MemberNotStarted")]
    private partial void LogMemberNotStarted(string member, string why, string hint, TimeSpan delay);

    [LoggerMessage(EventIds.MemberStuck, LogLevel.Warning, "member {Member} is stuck: {Why}; {Next}", EventName = "MemberStuck")]
    private partial void LogMemberStuck(string member, string why, string next);

    [LoggerMessage(EventIds.MemberGivenUp, LogLevel.Error, "member {Member} is given up: {Why}; tried again in {Window}, or with 'fleet-sidecar supervise retry {Member}'", EventName = "MemberGivenUp")]
    private partial void LogMemberGivenUp(string member, string why, TimeSpan window);

    [LoggerMessage(EventIds.HeartbeatStale, LogLevel.Error, "member {Member}: {Why}; nothing is restarted for it, look at the member", EventName = "HeartbeatStale")]
    private partial void LogHeartbeatStale(string member, string why);

    [LoggerMessage(EventIds.MemberRecovered, LogLevel.Information, "member {Member} {What}", EventName = "MemberRecovered")]
    private partial void LogMemberRecovered(string member, string what);

    [LoggerMessage(EventIds.MemberUnclear, LogLevel.Warning, "nobody can tell how member {Member} is: {Why}; nothing is restarted on such a word, looking again", EventName = "MemberUnclear")]
    private partial void LogMemberUnclear(string member, string why);

    [LoggerMessage(EventIds.MembersEndWithUs, LogLevel.Warning, "members {Members} are started by this service and live in its control group: a stop of the service ends them. Make each a unit of its own (kind unit); see docs/supervise.md", EventName = "MembersEndWithUs")]
    private partial void LogMembersEndWithUs(string members);

    [LoggerMessage(EventIds.MemberNotKept, LogLevel.Warning, "what is known of member {Member} cannot be kept: {Why}; nothing is started meanwhile, trying again", EventName = "MemberNotKept")]
    private partial void LogMemberNotKept(string member, string why);
}
