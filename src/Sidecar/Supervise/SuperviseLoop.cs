using System.Threading.Channels;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Supervise;

/// <summary>Keeps the members of <c>supervise</c> alive: each has its turn once a cycle, when its process ends, and when its back-off is over.</summary>
internal sealed partial class SuperviseLoop(
    SidecarConfig config, IEnumerable<IMemberKind> kinds, MemberHome home, MemberTurn turn, RunLoop runs, RunStore store, SafeMode safeMode, ProcessWatch watch,
    TimeProvider time, Verdict verdict, IHostApplicationLifetime lifetime, ILogger<SuperviseLoop> log)
    : DaemonLoop(verdict, lifetime, log)
{
    private const int MostRequests = 16;

    // Every call to tmux and systemctl is bounded; this is more than all of one turn together.
    private static readonly TimeSpan LongestTurn = TimeSpan.FromMinutes(2);

    // As for an agent's output: a disk fills within seconds.
    private static readonly TimeSpan OutputLook = TimeSpan.FromMilliseconds(500);

    // Operators are few; whoever comes while sixteen wait is told to come again.
    private readonly Channel<(string Name, TaskCompletionSource<MemberView?> Answer)> _retries = Channel.CreateBounded<(string, TaskCompletionSource<MemberView?>)>(MostRequests);

    // One word is enough: whoever rings has marked the member.
    private readonly Channel<bool> _bell = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly HashSet<string> _notKept = [];
    private IReadOnlyList<MemberView> _views = [.. config.Supervise.Members.Select(member => MemberView.Of(member, new MemberState { Kept = new MemberRecord() }))];

    /// <summary>All members, as of their last turns.</summary>
    public IReadOnlyList<MemberView> Views => Volatile.Read(ref _views);

    /// <summary>Why nothing is restarted at present, or null.</summary>
    public string? Hold => safeMode.Reason ?? (IntakeRules.Closed(runs.Intake, Now) is { } closed ? $"{closed.Word} ({closed.Detail})" : null);

    /// <summary>Starts a member that is down or was given up, without waiting. Null where there is nothing to retry; false where too many ask.</summary>
    public async Task<(bool Asked, MemberView? View)> RetryAsync(string name, CancellationToken token)
    {
        var answer = new TaskCompletionSource<MemberView?>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_retries.Writer.TryWrite((name, answer)))
        {
            return (false, null);
        }

        _bell.Writer.TryWrite(true);
        return (true, await answer.Task.WaitAsync(token));
    }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    protected override async Task RunAsync(CancellationToken stopping)
    {
        if (config.Supervise.Members.Count == 0)
        {
            Pulse.Beat(TimeSpan.FromDays(3650)); // Nothing to do, for as long as this configuration is in force.
            return;
        }

        WarnOfServiceManager();
        var members = config.Supervise.Members.Select(options => new Member(options, kinds.First(kind => kind.Kind == options.Kind), home.Read(options))).ToList();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var bounding = BoundOutputsAsync([.. config.Supervise.Members.Where(member => member.Kind == MemberKind.Process)], over.Token);
        try
        {
            await AttendAllAsync(members, stopping);
        }
        finally
        {
            await over.CancelAsync();
            await bounding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task BoundOutputsAsync(List<MemberOptions> members, CancellationToken stopping)
    {
        using var look = new PeriodicTimer(OutputLook, time);
        while (members.Count > 0 && await look.WaitForNextTickAsync(stopping))
        {
            foreach (var member in members)
            {
                await TryPassAsync($"the output of the member {member.Name}", () => Task.Run(() => home.BoundOutput(member), stopping), stopping);
            }
        }
    }

    private async Task AttendAllAsync(List<Member> members, CancellationToken stopping)
    {
        while (true)
        {
            foreach (var member in members)
            {
                Hear(members);
                if (member.DueIn(time) <= TimeSpan.Zero)
                {
                    Pulse.Beat(LongestTurn);
                    if (!await TryPassAsync($"the member {member.Options.Name}", () => AttendAsync(member, stopping), stopping))
                    {
                        member.Looked = (time.GetTimestamp(), config.Supervise.Interval);
                    }

                    Volatile.Write(ref _views, [.. members.Select(one => MemberView.Of(one.Options, one.State))]);
                }
            }

            var pause = members.Min(member => member.DueIn(time));
            Pulse.Beat(pause + LongestTurn);
            await PauseAsync(pause, stopping);
        }
    }

    private async Task AttendAsync(Member member, CancellationToken stopping)
    {
        member.Begin();
        var report = await turn.TakeAsync(member, Hold, stopping);
        Say(member, report);
        foreach (var happened in report.Events)
        {
            Note(member, happened);
        }

        await TellAsync(member);
        if (member.State.Kept.Process is { } process && process != member.Watched)
        {
            member.Watched = process;
            _ = RingAtEndAsync(member, process);
        }

        var until = member.State.NextTryUnixMs is { } next ? TimeSpan.FromMilliseconds(Math.Max(0, next - Now)) : config.Supervise.Interval;
        member.Looked = (time.GetTimestamp(), until < config.Supervise.Interval ? until : config.Supervise.Interval);
    }

    private void Hear(List<Member> members)
    {
        while (_retries.Reader.TryRead(out var request))
        {
            var member = members.Find(one => one.Options.Name == request.Name);
            if (member is null || !SuperviseRules.CanRetry(member.State))
            {
                request.Answer.TrySetResult(null);
                continue;
            }

            member.State = SuperviseRules.Retry(member.State);
            member.Ring();
            request.Answer.TrySetResult(MemberView.Of(member.Options, member.State));
        }
    }

    private async Task RingAtEndAsync(Member member, ProcessIdentity process)
    {
        await watch.EndOfAsync(process);
        member.Ring();
        _bell.Writer.TryWrite(true);
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping)
    {
        if (pause <= TimeSpan.Zero)
        {
            return;
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(Task.Delay(pause, time, over.Token), _bell.Reader.WaitToReadAsync(over.Token).AsTask());
        over.Cancel();
        stopping.ThrowIfCancellationRequested();
        _bell.Reader.TryRead(out _);
    }

    // What the hub is to hear, and what it need not be shown any more: one incident a member and code, so that a member that dies
    // every night does not push everything else out of the list.
    private void Note(Member member, MemberEvent happened)
    {
        if (happened.Incident)
        {
            member.Untold[happened.Code] = new Incident { Code = happened.Code, Timestamp = Now, Detail = $"{member.Options.Name}: {Printable.Cut(happened.Detail, 500)}" };
        }
        else if (happened.Code is MemberNews.HeartbeatFresh or MemberNews.Recovered)
        {
            member.Untold[happened.Code == MemberNews.HeartbeatFresh ? MemberNews.HeartbeatStale : MemberNews.GivenUp] = null;
        }
    }

    private async Task TellAsync(Member member)
    {
        try
        {
            foreach (var (code, incident) in member.Untold.ToList())
            {
                await store.PutIncidentAsync(code, $"{member.Options.Name}: ", incident);
                member.Untold.Remove(code);
            }
        }
        catch (Exception fault) when (fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            SayNotKept(member, $"the store does not take its incident: {fault.Message}");
        }
    }
}
