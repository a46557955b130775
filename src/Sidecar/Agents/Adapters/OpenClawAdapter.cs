using System.Globalization;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>OpenClaw. Mode run: a whole turn by the gateway, by <c>openclaw agent</c> or by <c>openclaw agent exec</c>. Mode signal: an event for its main session, and a probe for whether it was heard.</summary>
/// <remarks>
/// Its tools see nothing of our environment, so the message itself says who speaks. A signal proves nothing: the command
/// says <c>ok</c> with a dead model key, and its event is lost if the gateway restarts; only the probe or the agent's own
/// report does. See docs/agents.md.
/// </remarks>
internal sealed class OpenClawAdapter() : TurnAdapter("openclaw", new Version(2026, 9))
{
    private static readonly OpenClawOptions Usual = new();

    public override AdapterProblem? Check(WakeProfile profile)
    {
        var (arguments, options) = (profile.Command.Skip(1).ToList(), Of(profile));
        return profile switch
        {
            _ when OpenClawWords.CronWake(profile) is { } problem => problem,
            { Mode: WakeMode.Run } when options.Via == OpenClawVia.Gateway && arguments.Count > 0 =>
                new("command", "has arguments, which nobody would get: via gateway the program is not called", "leave only the program's path, or set openClaw.via to agent"),
            _ when arguments.Exists(argument => argument is "agent" or "system" or "cron" or "event") =>
                new("command", "names a verb of OpenClaw", "leave only the program's path and further options; mode and openClaw.via choose the verb"),
            _ when !Uri.TryCreate(options.Gateway, UriKind.Absolute, out var gateway) || gateway.Scheme is not ("ws" or "wss") || gateway.UserInfo.Length > 0 =>
                new("openClaw.gateway", "must be a ws:// or wss:// address without a user name", $"for example {OpenClawOptions.UsualGateway}"),
            _ when options.TokenFile.Length > 0 && (!Path.IsPathFullyQualified(options.TokenFile) || options.TokenFile.Any(char.IsControl)) =>
                new("openClaw.tokenFile", "must be an absolute path", "write the gateway's token alone into a file and name it here"),
            _ when options.Agent.Length is 0 or > 64 || !options.Agent.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_') =>
                new("openClaw.agent", "must be 1 to 64 letters, digits, '-' or '_'", "for example main"),
            _ => null,
        };
    }

    public override IReadOnlyDictionary<string, string> Environment(WakeProfile profile) => new Dictionary<string, string>();

    public override WakeCall Call(WakeProfile profile, WakeSubject subject)
    {
        var (options, prompt) = (Of(profile), TaskPrompt.Compose(subject, introduce: true));
        var seconds = ((long)Math.Ceiling(subject.TimeLimit.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        var session = string.Create(CultureInfo.InvariantCulture, $"fleet-{subject.TaskId}-g{subject.Generation}");
        if (profile.Mode == WakeMode.Signal)
        {
            return new(Argv(profile, subject, ["system", "event"], ["--text", OpenClawWords.Signal(subject), "--mode", "now", "--json"]), prompt);
        }

        return options.Via switch
        {
            OpenClawVia.Gateway => new([
                subject.SidecarProgram, "agent-turn", "openclaw", "--gateway", options.Gateway, "--agent", options.Agent, "--session-key", session,
                "--idempotency-key", string.Create(CultureInfo.InvariantCulture, $"{session}-a{subject.Attempt}"), "--message-file", subject.PromptFile, "--timeout", seconds,
                .. options.TokenFile.Length > 0 ? ["--token-file", options.TokenFile] : Array.Empty<string>(),
            ], prompt),
            OpenClawVia.Agent => new(Argv(profile, subject, ["agent"], ["--agent", options.Agent, "--session-key", session, "--message-file", subject.PromptFile, "--json", "--timeout", seconds]), prompt),
            OpenClawVia.Exec => new(Argv(profile, subject, ["agent", "exec"], ["--message-file", subject.PromptFile, "--cwd", subject.Workspace, "--json", "--timeout", seconds]), prompt),
            _ => throw new InvalidOperationException($"No way to call OpenClaw via {options.Via}."),
        };
    }

    public override AgentTurn? ReadTurn(WakeProfile profile, TurnOutput output)
    {
        if (profile.Mode == WakeMode.Signal)
        {
            return null; // The turn happens elsewhere; this was only the bell.
        }

        if (JsonRead.Whole(output.Lines) is not { } record || record.At("event") is not null)
        {
            return NoRecord(output);
        }

        var turn = OpenClawRecord.Read(record, output);
        return turn.Ok ? Contradicted(output, turn) : turn;
    }

    public override IReadOnlyList<string>? ProbeCommand(WakeProfile profile) =>
        profile.Mode == WakeMode.Signal ? [profile.Command[0], "system", "heartbeat", "last", "--json"] : null;

    public override ProbeFinding ReadProbe(string output, long wokenAtUnixMs)
    {
        if (JsonRead.Whole(output) is not { } last || last.Number("ts") is not { } at || at < wokenAtUnixMs)
        {
            return new ProbeFinding.Nothing();
        }

        var reason = last.Text("reason") ?? last.Text("message") ?? last.Text("preview") ?? "no reason given";
        return last.Text("status") switch
        {
            null => new ProbeFinding.Nothing(),
            "failed" or "error" => new ProbeFinding.Failed(FailureClassifier.OfText($"{last.Text("preview")}\n{last.Text("reason")}"), $"OpenClaw's heartbeat failed: {Printable.Cut(reason, 300)}"),

            // Skipped is the delivery to somebody's chat. What the model said is there only if it ran.
            "skipped" when last.Text("preview") is null => new ProbeFinding.Nothing(),
            _ => new ProbeFinding.Ran(null),
        };
    }

    private static OpenClawOptions Of(WakeProfile profile) => profile.OpenClaw ?? Usual;
}
