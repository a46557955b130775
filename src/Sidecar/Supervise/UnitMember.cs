using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>A systemd unit. systemd ends and begins its processes; here is only whether it is up, and the word to restart it.</summary>
internal sealed class UnitMember(ToolRunner tools, SilentServers silent) : IMemberKind
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10), Linger = TimeSpan.FromSeconds(1);
    private const int Room = 16 * 1024;

    public string Kind => MemberKind.Unit;

    public async Task<MemberLook> LookAsync(MemberOptions member, MemberRecord kept, CancellationToken token)
    {
        try
        {
            var outcome = await silent.AskAsync("systemctl", () => SystemctlAsync(token, "show", "--property=LoadState,ActiveState,SubState,Result,MainPID", "--", member.Unit!));
            return outcome.Ok ? Read(outcome.Output) : new MemberLook.Unknown($"systemctl does not say: {ToolWords.Of(outcome)}");
        }
        catch (SpawnException fault)
        {
            return new MemberLook.Unknown(fault.Message);
        }
    }

    // systemd ends what is left of a unit when it restarts it.
    public Task ClearAsync(MemberOptions member, MemberRecord kept, CancellationToken token) => Task.CompletedTask;

    public async Task<ProcessIdentity?> StartAsync(MemberOptions member, MemberRecord kept, IReadOnlyList<string> command, CancellationToken token)
    {
        try
        {
            // A unit that used up its own start limit refuses every start until this; without the right, the restart says so.
            await SystemctlAsync(token, "reset-failed", "--no-ask-password", "--", member.Unit!);

            // Not waited for: a slow start is seen as "activating" by the next looks.
            var outcome = await SystemctlAsync(token, "restart", "--no-block", "--no-ask-password", "--", member.Unit!);
            return outcome.Ok ? null : throw Fault(ToolWords.Of(outcome), member.Unit!);
        }
        catch (SpawnException fault)
        {
            throw new MemberFaultException(fault.Message, fault.Hint, fault);
        }
    }

    /// <summary>What the properties of a unit mean.</summary>
    public static MemberLook Read(string properties)
    {
        var values = properties.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=', 2)).Where(pair => pair.Length == 2)
            .GroupBy(pair => pair[0]).ToDictionary(group => group.Key, group => group.First()[1].Trim());
        var (load, active, sub, result) = (Value("LoadState"), Value("ActiveState"), Value("SubState"), Value("Result"));
        return (load, active) switch
        {
            ("not-found" or "masked" or "bad-setting" or "error", _) => new MemberLook.Unknown($"systemd says {load}; a restart would not help"),
            (_, "active" or "reloading" or "refreshing") => new MemberLook.Alive(Pid: int.TryParse(Value("MainPID"), out var pid) && pid > 0 ? pid : null),
            (_, "activating" or "deactivating" or "maintenance") => new MemberLook.Unknown($"systemd is at it: {active} ({sub})"),
            (_, "inactive" or "failed") => new MemberLook.Dead($"the unit is {active} ({(result.Length > 0 ? result : sub)})"),
            _ => new MemberLook.Unknown("systemctl gives no state of the unit"),
        };

        string Value(string name) => ToolWords.Line(values.GetValueOrDefault(name, ""));
    }

    private static MemberFaultException Fault(string said, string unit) =>
        said.Contains("uthentication", StringComparison.Ordinal) || said.Contains("ccess denied", StringComparison.Ordinal) || said.Contains("not permitted", StringComparison.Ordinal)
            ? new($"the service user may not restart {unit}: {said}", "it takes a polkit rule for exactly this unit; docs/supervise.md has it")
            : new($"systemctl refused to restart {unit}: {said}", $"see 'systemctl status {unit}'");

    private Task<ToolOutcome> SystemctlAsync(CancellationToken token, params string[] arguments) =>
        tools.RunAsync(["systemctl", .. arguments], MemberProcesses.Common(), "/", Limit, token, Linger, Room);
}

/// <summary>A tool's words, fit for one line.</summary>
internal static class ToolWords
{
    private const int Most = 300;

    public static string Of(ToolOutcome outcome) => outcome.TimedOut ? outcome.Error
        : Line(outcome.Last.Error.Trim()) is { Length: > 0 } said ? said : $"exit code {outcome.ExitCode}";

    public static string Line(string text) => Protocol.Printable.Cut(text, Most);
}
