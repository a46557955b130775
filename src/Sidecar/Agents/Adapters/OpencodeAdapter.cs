using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>opencode, <c>opencode run --format json</c>: the prompt on standard input, one line of JSON an event; a last step that ended with <c>stop</c> is the record of a good end.</summary>
/// <remarks>While its provider answers with 500 or cannot be reached it says nothing and goes on trying; the run's own deadlines end that.</remarks>
internal sealed class OpencodeAdapter() : TurnAdapter("opencode", new Version(1, 18))
{
    public override IReadOnlyDictionary<string, string> Environment(WakeProfile profile) => new Dictionary<string, string> { ["OPENCODE_DISABLE_AUTOUPDATE"] = "true" };

    public override WakeCall Call(WakeProfile profile, WakeSubject subject) =>
        new(Argv(profile, subject, ["run"], ["--format", "json"]), TaskPrompt.Compose(subject), PromptOnInput: true);

    public override AgentTurn ReadTurn(WakeProfile profile, TurnOutput output)
    {
        string? session = null, said = null, ended = null, denied = null;
        JsonElement? error = null;
        TokenUse? tokens = null;
        decimal? cost = null;
        foreach (var line in JsonRead.Objects(output.Lines))
        {
            session = line.Text("sessionID") ?? session;
            switch (line.Text("type"))
            {
                case "text":
                    said = line.Text("part", "text") ?? said;
                    break;
                case "step_start":
                    ended = null;
                    break;
                case "step_finish":
                    ended = line.Text("part", "reason");
                    (tokens, cost) = (Plus(tokens, line), JsonRead.Plus(cost, line.Money("part", "cost")));
                    break;
                case "tool_use" when line.Text("part", "state", "status") == "error" && IsDenial(line.Text("part", "state", "error")):
                    denied = $"{line.Text("part", "tool")}: {line.Text("part", "state", "error")}";
                    break;
                case "error":
                    error = line.At("error") ?? line;
                    break;
            }
        }

        var turn = new AgentTurn { Ok = true, Output = said, SessionId = session, Tokens = tokens, CostUsd = cost };
        if (error is { } recorded)
        {
            var message = recorded.Text("data", "message") ?? recorded.Text("message") ?? recorded.Text("name") ?? "opencode recorded an error without a message";
            var byStatus = FailureClassifier.OfStatus(recorded.Number("data", "statusCode"));
            return turn with
            {
                Ok = false,
                FailureCode = !output.OutOfMemory && byStatus != FailureClass.Unknown ? byStatus : FailureClassifier.Classify(output.End, output.OutOfMemory, $"{recorded.Text("name")}: {message}", output.Errors),
                Reason = Printable.Cut(message, 500),
            };
        }

        if (ended is null)
        {
            return NoRecord(output) with { SessionId = session, Tokens = turn.Tokens, CostUsd = turn.CostUsd };
        }

        return (denied, ended) switch
        {
            ({ }, _) => turn with { Ok = false, FailureCode = FailureClass.Config, Reason = $"opencode was denied {Printable.Cut(denied, 300)}; allow it in opencode's permission settings" },
            (null, "stop") => Contradicted(output, turn),
            (null, "length") => turn with { Ok = false, FailureCode = FailureClass.ContextExhausted, Reason = "opencode's last step was cut off at the length limit" },
            _ => turn with { Ok = false, FailureCode = FailureClassifier.Classify(output.End, output.OutOfMemory, output.Errors), Reason = $"opencode's last step ended with '{Printable.Cut(ended, 60)}', in the middle of the work" },
        };
    }

    private static bool IsDenial(string? text) => text is not null
        && (text.Contains("rejected permission", StringComparison.OrdinalIgnoreCase) || text.Contains("prevents you from using", StringComparison.OrdinalIgnoreCase) || text.Contains("permission denied by rule", StringComparison.OrdinalIgnoreCase));

    private static TokenUse Plus(TokenUse? sum, JsonElement step) => new()
    {
        Input = JsonRead.Plus(sum?.Input, step.Tokens("part", "tokens", "input")),
        Output = JsonRead.Plus(sum?.Output, step.Tokens("part", "tokens", "output") + (step.Tokens("part", "tokens", "reasoning") ?? 0)),
        CacheRead = JsonRead.Plus(sum?.CacheRead, step.Tokens("part", "tokens", "cache", "read")),
        CacheWrite = JsonRead.Plus(sum?.CacheWrite, step.Tokens("part", "tokens", "cache", "write")),
        Total = JsonRead.Plus(sum?.Total ?? 0, step.Tokens("part", "tokens", "total")) ?? 0,
    };
}
