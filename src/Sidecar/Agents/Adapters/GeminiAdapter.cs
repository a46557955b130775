using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Gemini CLI with <c>--output-format stream-json</c>: the prompt on standard input, one line of JSON an event, the last one of type <c>result</c>.</summary>
/// <remarks>Asked to stop it finishes its turn and exits with 0; a run that was cancelled is judged by that, not by this record.</remarks>
internal sealed class GeminiAdapter() : TurnAdapter("gemini", new Version(0, 61))
{
    private const int NoKey = 41, BadInput = 42, NoSandbox = 44, BadSettings = 52, TooManyTurns = 53, Untrusted = 55;

    /// <summary>It refuses to work in a directory that nobody trusted in a dialogue; the workspace is a clone of a repository that the configuration allows.</summary>
    public override IReadOnlyDictionary<string, string> Environment(WakeProfile profile) => new Dictionary<string, string> { ["GEMINI_CLI_TRUST_WORKSPACE"] = "true" };

    public override WakeCall Call(WakeProfile profile, WakeSubject subject) =>
        new(Argv(profile, subject, [], ["--output-format", "stream-json"]), TaskPrompt.Compose(subject), PromptOnInput: true);

    public override AgentTurn ReadTurn(WakeProfile profile, TurnOutput output)
    {
        string? session = null, model = null, denied = null;
        var said = new SpokenText();
        JsonElement? result = null;
        var unread = 0;
        foreach (var line in JsonRead.Objects(output.Lines))
        {
            switch (line.Text("type"))
            {
                case "init":
                    (session, model) = (line.Text("session_id"), line.Text("model"));
                    break;
                case "message" when line.Text("role") == "assistant":
                    said.Hear(line.Text("content"), isMore: line.Flag("delta") == true);
                    break;
                case "tool_result" when line.Text("status") == "error" && line.Text("error", "type") is { } kind && kind.Contains("polic", StringComparison.OrdinalIgnoreCase):
                    denied = line.Text("error", "message") ?? kind;
                    break;
                case "tool_use":
                    said.Forget(); // What was said before a tool ran is not the answer.
                    break;
                case "result":
                    (result, unread) = (line, output.Lines.Unread);
                    break;
            }
        }

        // Without stream-json in force (an old version, a wrapper) the record is one document, on standard error where it is an error.
        result ??= JsonRead.Whole(output.Lines) ?? JsonRead.Whole(output.Errors);
        if (result is not { } record)
        {
            return NoRecord(output) is var none && Code(output) is { } code ? none with { FailureCode = code, SessionId = session } : none with { SessionId = session };
        }

        var turn = new AgentTurn
        {
            Ok = true, Output = record.Text("response") ?? said.Text, SessionId = record.Text("session_id") ?? session,
            Model = GeminiStats.Model(record) ?? model, Provider = "google", Tokens = GeminiStats.Tokens(record),
        };
        if (record.At("error") is not null || record.Text("status") is not (null or "success") || (record.Text("status") is null && record.Text("response") is null))
        {
            var message = record.Text("error", "message") ?? record.Text("error") ?? "Gemini recorded an error without a message";
            return turn with { Ok = false, FailureCode = Code(output) ?? Known(FailureClassifier.OfStatus(record.Number("error", "code"))) ?? FailureClassifier.Classify(output.End, output.OutOfMemory, message, output.Errors), Reason = Printable.Cut(message, 500) };
        }

        return denied is null ? Contradicted(output, turn, unread) : turn with
        {
            Ok = false, FailureCode = FailureClass.Config, Reason = $"Gemini's policy denied a tool: {Printable.Cut(denied, 300)}; allow it in the profile's command, for example with --approval-mode",
        };
    }

    private static string? Known(string code) => code == FailureClass.Unknown ? null : code;

    // Its exit code is the provider's HTTP status cut to a byte, beside a few of its own.
    private static string? Code(TurnOutput output) => output.OutOfMemory ? FailureClass.OutOfMemory : output.End.ExitCode switch
    {
        NoKey => FailureClass.Auth,
        BadInput or NoSandbox or BadSettings or Untrusted => FailureClass.Config,
        TooManyTurns => FailureClass.AgentError,
        401 & 0xFF or 403 & 0xFF => FailureClass.Auth,
        429 & 0xFF => FailureClass.RateLimited,
        500 & 0xFF or 502 & 0xFF or 503 & 0xFF or 504 & 0xFF => FailureClass.ProviderDown,
        _ => null,
    };
}
