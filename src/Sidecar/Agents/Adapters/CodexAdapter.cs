using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Codex, <c>codex exec --json -</c>: the prompt on standard input, one line of JSON an event; <c>turn.completed</c> is the record of a good end.</summary>
/// <remarks>
/// May get wrong: a command that Codex's sandbox refuses leaves no trace in these events unless it is an item that was declined,
/// and the exit code is 0. What the agent was to change is proved by the commits alone, so give a profile the sandbox that the
/// work needs. Codex never ends while its provider cannot be reached; the run's own deadlines do that.
/// </remarks>
internal sealed class CodexAdapter() : TurnAdapter("codex", new Version(0, 169))
{
    public override IReadOnlyDictionary<string, string> Environment(WakeProfile profile) => new Dictionary<string, string>();

    /// <summary>The workspace is ours, so Codex need not trust it; <c>-</c> says that the prompt comes on standard input.</summary>
    public override WakeCall Call(WakeProfile profile, WakeSubject subject) =>
        new(Argv(profile, subject, ["exec"], ["--skip-git-repo-check", "--json", "-"]), TaskPrompt.Compose(subject), PromptOnInput: true);

    public override AgentTurn ReadTurn(WakeProfile profile, TurnOutput output)
    {
        string? thread = null, said = null, error = null, declined = null;
        bool completed = false, failed = false;
        TokenUse? tokens = null;
        foreach (var line in JsonRead.Objects(output.Lines))
        {
            switch (line.Text("type"))
            {
                case "thread.started":
                    thread = line.Text("thread_id");
                    break;
                case "turn.started":
                    completed = failed = false;
                    break;
                case "item.completed" when line.Text("item", "type") == "agent_message":
                    said = line.Text("item", "text");
                    break;
                case "item.completed" when line.Text("item", "status") == "declined":
                    declined = line.Text("item", "command") ?? line.Text("item", "type");
                    break;
                case "turn.completed":
                    (completed, tokens) = (true, Tokens(line));
                    break;
                case "turn.failed":
                    (failed, error) = (true, line.Text("error", "message") ?? error);
                    break;
                case "error":
                    error = line.Text("message") ?? error;
                    break;
            }
        }

        var turn = new AgentTurn { Ok = true, Output = said, SessionId = thread, Tokens = tokens };
        if (failed || (!completed && error is not null))
        {
            return turn with { Ok = false, FailureCode = FailureClassifier.Classify(output.End, output.OutOfMemory, error, output.Errors), Reason = Printable.Cut(error ?? "Codex recorded a failed turn without a reason", 500) };
        }

        if (!completed)
        {
            return NoRecord(output) with { SessionId = thread };
        }

        return declined is null ? Contradicted(output, turn) : turn with
        {
            Ok = false, FailureCode = FailureClass.Config, Reason = $"Codex declined '{Printable.Cut(declined, 200)}'; give the profile's command the --sandbox that the work needs",
        };
    }

    // Its input includes what came out of the cache.
    private static TokenUse Tokens(JsonElement line)
    {
        var (input, cached, output) = (line.Tokens("usage", "input_tokens"), line.Tokens("usage", "cached_input_tokens"), line.Tokens("usage", "output_tokens"));
        return new TokenUse
        {
            Input = input is { } all ? Math.Max(0, all - (cached ?? 0)) : null, CacheRead = cached, CacheWrite = line.Tokens("usage", "cache_write_input_tokens"),
            Output = output, Total = (input ?? 0) + (output ?? 0),
        };
    }
}
