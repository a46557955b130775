using System.Text.Json.Nodes;
using FleetSidecar.Agents;
using FleetSidecar.Setup;

namespace FleetSidecar.Import;

/// <summary>
/// A command line of an agent program that this version has an adapter for, without what the adapter itself says.
/// </summary>
/// <param name="Adapter">The adapter.</param>
/// <param name="Mode">How it is woken.</param>
/// <param name="Words">Further arguments, which stay.</param>
/// <param name="Note">What is not as it was.</param>
/// <param name="OpenClaw">How OpenClaw is reached; null for every other program.</param>
internal sealed record KnownAgent(
    string Adapter,
    string Mode,
    List<string> Words,
    string Note,
    JsonObject? OpenClaw = null
);

/// <summary>
/// Which agent programs a wake command may call, and what of their command line belongs to the adapter. Pure.
/// </summary>
internal static class KnownAgents
{
    private const string OpenClaw = "openclaw";

    /// <summary>Verbs, options with a value and options without one that the adapter writes itself.</summary>
    private static readonly Dictionary<string, (string[] Verbs, string[] Valued, string[] Bare)> Own = new()
    {
        ["claude-code"] = ([], ["-p", "--print", "--output-format", "--input-format", "--session-id"], ["--verbose"]),
        ["codex"] = (["exec", "e"], [], ["--json", "--skip-git-repo-check", "-"]),
        ["gemini"] = ([], ["-p", "--prompt", "--output-format", "-o"], []),
        ["opencode"] = (["run"], ["--format"], []),
        [OpenClaw] = (
            [],
            [
                "-m",
                "--message",
                "--message-file",
                "--session-id",
                "--session-key",
                "--timeout",
                "--text",
                "--mode",
                "--cwd",
            ],
            ["--json"]
        ),
    };

    /// <summary>The adapter that knows a program, or null.</summary>
    public static string? AdapterOf(string program) =>
        Path.GetFileName(program) is "openclaw.mjs" or "clawdbot" or "moltbot"
            ? OpenClaw
            : FirstProfile.Known.FirstOrDefault(known => known.Program == Path.GetFileName(program)).Adapter;

    /// <summary>
    /// Reads a command line; null where no adapter fits it, and its words are to be kept as they are.
    /// </summary>
    /// <param name="program">The program's name.</param>
    /// <param name="words">Its arguments, marked.</param>
    public static KnownAgent? Read(string program, List<string> words) =>
        AdapterOf(program) switch
        {
            null => null,
            OpenClaw => ReadOpenClaw(words),
            var adapter => ReadTurn(adapter, words),
        };

    private static KnownAgent? ReadTurn(string adapter, List<string> words)
    {
        var (verbs, _, _) = Own[adapter];
        if (verbs.Length > 0 && (words.Count == 0 || !verbs.Contains(words[0])))
        {
            return null;
        }

        var rest = Strip(adapter, words.GetRange(verbs.Length > 0 ? 1 : 0, words.Count - (verbs.Length > 0 ? 1 : 0)));
        return new KnownAgent(
            adapter,
            WakeMode.Run,
            rest,
            $"the adapter {adapter} gives the task by standard input and reads the program's own record; "
                + "the prompt of the command is not used"
        );
    }

    private static KnownAgent? ReadOpenClaw(List<string> words)
    {
        if (words is ["agent", ..])
        {
            var (exec, from) = words is [_, "exec", ..] ? (true, 2) : (false, 1);
            var options = new JsonObject { ["via"] = exec ? OpenClawVia.Exec : OpenClawVia.Agent };
            var rest = words.GetRange(from, words.Count - from);
            if (
                rest.IndexOf("--agent") is >= 0 and var at
                && at + 1 < rest.Count
                && !AgentComPlaceholders.IsIn(rest[at + 1])
            )
            {
                options["agent"] = rest[at + 1];
                rest.RemoveRange(at, 2);
            }

            return new KnownAgent(
                OpenClaw,
                WakeMode.Run,
                Strip(OpenClaw, rest),
                "the adapter openclaw gives the task by a file and has a session of its own for each attempt; "
                    + "message and session of the command are not used",
                options
            );
        }

        return words is ["system", "event", ..]
            ? new KnownAgent(
                OpenClaw,
                WakeMode.Signal,
                Strip(OpenClaw, words.GetRange(2, words.Count - 2)),
                "the adapter openclaw writes the event's text; the text of the command is not used"
            )
            : null;
    }

    // What is left: the operator's own options, and their values. A word that is neither is a prompt.
    private static List<string> Strip(string adapter, List<string> words)
    {
        var (_, valued, bare) = Own[adapter];
        var kept = new List<string>();
        for (var at = 0; at < words.Count; at++)
        {
            var (word, name) = (words[at], words[at].Split('=', 2)[0]);
            if (valued.Contains(name))
            {
                at += word == name && at + 1 < words.Count && IsValue(words[at + 1]) ? 1 : 0;
            }
            else if (!bare.Contains(word) && !IsPrompt(words, at))
            {
                kept.Add(word);
            }
        }

        return kept;
    }

    private static bool IsValue(string word) => word == "-" || !word.StartsWith('-');

    private static bool IsPrompt(List<string> words, int at) =>
        !words[at].StartsWith('-')
        && (
            AgentComPlaceholders.IsIn(words[at])
            || (words[at].Contains(' ', StringComparison.Ordinal) && (at == 0 || !words[at - 1].StartsWith('-')))
        );
}
