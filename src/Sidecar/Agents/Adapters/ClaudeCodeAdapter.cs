using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Claude Code, <c>claude -p</c>: the prompt on standard input, one line of JSON an event, the last one of type <c>result</c>.</summary>
internal sealed class ClaudeCodeAdapter() : TurnAdapter("claude-code", new Version(2, 1))
{
    /// <summary>Without a limit of its own it goes on trying in silence for over a minute; an update in mid-run changes what is running.</summary>
    public override IReadOnlyDictionary<string, string> Environment(WakeProfile profile) =>
        new Dictionary<string, string> { ["CLAUDE_CODE_MAX_RETRIES"] = "3", ["DISABLE_AUTOUPDATER"] = "1" };

    public override WakeCall Call(WakeProfile profile, WakeSubject subject) => new(
        Argv(profile, subject, [], ["-p", "--output-format", "stream-json", "--verbose", "--session-id", SessionId(subject)]),
        TaskPrompt.Compose(subject), PromptOnInput: true);

    /// <summary>The same attempt at the same task always has the same session, and Claude Code refuses a session id that was used: no turn happens twice.</summary>
    public static string SessionId(WakeSubject subject)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"fleet-sidecar claude-code\n{subject.TaskId}\n{subject.Generation}\n{subject.Attempt}"), hash);

        // Version 8 says "made as the maker likes", RFC 9562 section 5.8; the variant is the usual one.
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(BinaryPrimitives.ReadInt32BigEndian(hash), BinaryPrimitives.ReadInt16BigEndian(hash[4..]), BinaryPrimitives.ReadInt16BigEndian(hash[6..]), hash[8..16].ToArray()).ToString();
    }

    public override AgentTurn ReadTurn(WakeProfile profile, TurnOutput output)
    {
        string? retry = null, model = null;
        AgentTurn? turn = null;
        var unread = 0;
        foreach (var line in JsonRead.Objects(output.Lines))
        {
            switch (line.Text("type"), line.Text("subtype"))
            {
                case ("system", "init"):
                    model = line.Text("model");
                    break;
                case ("system", "api_retry"):
                    retry = line.GetRawText();
                    break;
                case ("result", _):
                    (turn, unread) = (ClaudeResult.Read(line, model, output), output.Lines.Unread);
                    break;
            }
        }

        return turn switch
        {
            null => NoRecord(output, retry),
            { Ok: true } => Contradicted(output, turn, unread),
            _ => turn,
        };
    }
}
