using FleetSidecar.Agents;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>What the kinds that start processes themselves have in common: the environment, and ending every process of a life.</summary>
internal sealed class MemberProcesses(MemberHome home, TimeProvider time)
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5), KillTakesAtMost = TimeSpan.FromSeconds(5), Look = TimeSpan.FromMilliseconds(50);
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "TMUX_TMPDIR"];

    /// <summary>The daemon's variables that anybody may see. Its token and what the service manager told it are not among them.</summary>
    public static Dictionary<string, string> Common(IEnumerable<string>? more = null) => Inherited.Concat(more ?? [])
        .Distinct().Select(name => (name, Value: Environment.GetEnvironmentVariable(name))).Where(one => one.Value is not null).ToDictionary(one => one.name, one => one.Value!);

    /// <summary>What a member gets beyond <see cref="Common"/>: its own variables, and the mark by which every process of this life is found.</summary>
    public Dictionary<string, string> Own(MemberOptions member, string nonce) =>
        new(member.Environment) { [MemberHome.Mark] = $"{home.Directory(member)}#{nonce}" };

    /// <summary>The process of a life that was begun and not noted; null where there is none.</summary>
    public ProcessIdentity? Find(MemberOptions member, string? nonce) =>
        ProcessEnvironments.Carrying(nonce is null ? home.MarkOf(member) : $"{home.MarkOf(member)}{nonce}\0").FirstOrDefault(ProcessFamily.LeadsSession);

    /// <summary>Asks every process of a member's lives to end, then ends it.</summary>
    /// <exception cref="MemberFaultException">One does not end.</exception>
    public async Task EndAsync(MemberOptions member, ProcessIdentity? leader, CancellationToken token)
    {
        foreach (var (signal, patience) in new[] { (Signals.Terminate, Grace), (Signals.Kill, KillTakesAtMost) })
        {
            var began = time.GetTimestamp();
            var asked = new HashSet<ProcessIdentity>();
            while (ProcessFamily.Marked(home.MarkOf(member), leader) is { Count: > 0 } family)
            {
                foreach (var process in family.Where(asked.Add)) // What was forked meanwhile is asked too.
                {
                    Signals.ToProcess(process.Pid, signal);
                    ProcessWatch.Reap(process.Pid);
                }

                if (time.GetElapsedTime(began) > patience)
                {
                    break;
                }

                await Task.Delay(Look, time, token);
                family.ForEach(process => ProcessWatch.Reap(process.Pid));
            }
        }

        if (ProcessFamily.Marked(home.MarkOf(member), leader) is [var stays, ..])
        {
            throw new MemberFaultException($"process {stays.Pid} of its last life does not end, so no new one is begun", $"look at process {stays.Pid}");
        }
    }
}
