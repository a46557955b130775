using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>A pane of a tmux server: alive while its process is. What it shows is compared and matched, and kept nowhere.</summary>
/// <remarks>A pane that runs a shell is alive as long as the shell, whatever became of the agent in it: the command must be the agent.</remarks>
internal sealed class TmuxMember(MemberProcesses processes, ToolRunner tools, SilentServers silent) : IMemberKind
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5), Linger = TimeSpan.FromMilliseconds(500), MatchLimit = TimeSpan.FromSeconds(1);
    private const int Room = 64 * 1024;
    private static readonly string[] ListPanes = ["list-panes", "-a", "-F", TmuxPane.Format];

    public string Kind => MemberKind.Tmux;

    public async Task<MemberLook> LookAsync(MemberOptions member, MemberRecord kept, CancellationToken token)
    {
        try
        {
            var target = TmuxTarget.TryParse(member.Target)!;
            var pane = target.In(Listed(await silent.AskAsync($"tmux {member.Socket}", () => RunAsync(member, ListPanes, token))));
            return pane switch
            {
                null => new MemberLook.Dead($"there is no pane {target}"),
                { Dead: true } => new MemberLook.Dead($"the process of pane {target} has ended"),
                _ => await SeeAsync(member, pane, token),
            };
        }
        catch (Exception fault) when (fault is MemberFaultException or SpawnException)
        {
            return new MemberLook.Unknown(fault.Message);
        }
    }

    public async Task ClearAsync(MemberOptions member, MemberRecord kept, CancellationToken token)
    {
        var pane = await GuardAsync(async () => TmuxTarget.TryParse(member.Target)!.In(await ListAsync(member, token)));
        if (pane is { Dead: false })
        {
            await KeepPlaceAsync(member, pane.Id, token);
        }

        // The process of a pane leads a session of its own, so all of it goes; the pane stays, dead, and is used again. Where the
        // pane went, its process may have stayed: it was noted at the last look.
        await processes.EndAsync(member, pane is { Dead: false } ? ProcessIdentity.Of(pane.Pid) : kept.Process, token);
    }

    public Task<ProcessIdentity?> StartAsync(MemberOptions member, MemberRecord kept, IReadOnlyList<string> command, CancellationToken token) => GuardAsync<ProcessIdentity?>(async () =>
    {
        // tmux itself says nothing: it takes the home directory for one that is missing, and shows a dead pane for a missing program.
        // A server with a socket of its own may be another user's, who sees other files.
        if (member.Socket is null && StartFaults.Find(command[0], member.Directory ?? "/") is { } fault)
        {
            throw new MemberFaultException(fault.Message, fault.Hint);
        }

        var target = TmuxTarget.TryParse(member.Target)!;
        var listing = await ListAsync(member, token);
        var outcome = await RunAsync(member, [.. TmuxStart.Place(target, listing), "-c", member.Directory ?? "/", "--", .. TmuxStart.Command(command, processes.Own(member, kept.Nonce!)), .. TmuxStart.Move(target, listing)], token);
        if (target.In(await ListAsync(member, token)) is not { } pane)
        {
            // It may run in a pane of another number. Left there it would be a second copy after the next start.
            await processes.EndAsync(member, null, token);
            throw new MemberFaultException($"tmux made no pane {target}: {ToolWords.Of(outcome)}", "compare the target with base-index and pane-base-index of that tmux server");
        }

        if (!outcome.Ok && pane.Dead)
        {
            throw new MemberFaultException($"tmux did not start it: {ToolWords.Of(outcome)}", $"see 'tmux list-panes -a' as the service user{(member.Socket is { } socket ? $", with -S {socket}" : "")}");
        }

        await KeepPlaceAsync(member, pane.Id, token);
        return null;
    });

    // A dead pane keeps its place and shows its last words until the next start.
    private Task<ToolOutcome> KeepPlaceAsync(MemberOptions member, string pane, CancellationToken token) => RunAsync(member, ["set-option", "-p", "-t", pane, "remain-on-exit", "on"], token);

    private async Task<MemberLook> SeeAsync(MemberOptions member, TmuxPane pane, CancellationToken token)
    {
        var alive = new MemberLook.Alive(ProcessIdentity.Of(pane.Pid), pane.Pid);
        if (member.StuckAfterCycles == 0)
        {
            return alive;
        }

        var outcome = await RunAsync(member, ["capture-pane", "-p", "-t", pane.Id], token);
        if (!outcome.Ok)
        {
            return alive; // It went away in between; the next look says so.
        }

        var text = outcome.Output.TrimEnd();
        return alive with { Screen = $"{pane.Id} {pane.Pid} {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}", Waits = Waits(member, text) };
    }

    /// <summary>The engine without back-tracking takes time in proportion to the text, whatever the pattern and whoever wrote the text.</summary>
    public static Regex Pattern(string pattern) => new(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, MatchLimit);

    /// <summary>Whether what a pane shows means that it is not at work.</summary>
    public static bool Waits(MemberOptions member, string text)
    {
        try
        {
            return (member.IdlePattern is { } idle && Pattern(idle).IsMatch(text)) || (member.BusyPattern is { } busy && !Pattern(busy).IsMatch(text));
        }
        catch (RegexMatchTimeoutException)
        {
            return true; // Nobody is restarted because a pattern is slow.
        }
    }

    // "No server" is an answer: there is no pane. So is a server without a session, which has no target for anything.
    private async Task<string> ListAsync(MemberOptions member, CancellationToken token) => Listed(await RunAsync(member, ListPanes, token));

    private static string Listed(ToolOutcome outcome) =>
        outcome.Ok ? outcome.Output
            : outcome.Error.Contains("no server running", StringComparison.Ordinal) || outcome.Error.Contains("no current target", StringComparison.Ordinal)
                || (outcome.Error.StartsWith("error connecting", StringComparison.Ordinal) && (outcome.Error.Contains("No such file", StringComparison.Ordinal) || outcome.Error.Contains("refused", StringComparison.Ordinal)))
            ? "" : throw new MemberFaultException($"tmux does not say: {ToolWords.Of(outcome)}", "does that server belong to the service user?");

    private static async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (SpawnException fault)
        {
            throw new MemberFaultException(fault.Message, fault.Problem == StartProblem.ProgramMissing ? "install tmux" : fault.Hint, fault);
        }
    }

    private Task<ToolOutcome> RunAsync(MemberOptions member, IEnumerable<string> arguments, CancellationToken token) =>
        tools.RunAsync(["tmux", .. member.Socket is { } socket ? new[] { "-S", socket } : [], .. arguments], MemberProcesses.Common(member.PassEnvironment), "/", Limit, token, Linger, Room);
}
