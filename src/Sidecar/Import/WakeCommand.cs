using System.Text.Json.Nodes;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Import;

/// <summary>What a wake command of AgentCom becomes: a profile, or a reason why it cannot be one.</summary>
internal abstract record WakeCommand
{
    private WakeCommand() { }

    /// <param name="Profile">The profile as it is written.</param>
    /// <param name="Notes">What is not as it was, a sentence each.</param>
    internal sealed record Taken(JsonObject Profile, IReadOnlyList<string> Notes) : WakeCommand;

    /// <param name="Why">The reason.</param>
    /// <param name="Hint">What to do about it.</param>
    internal sealed record Refused(string Why, string Hint) : WakeCommand;

    /// <summary>Reads a command line that AgentCom gave to a shell.</summary>
    /// <param name="text">The command line.</param>
    /// <param name="places">Where its programs and files are looked for.</param>
    public static WakeCommand Read(string text, IPlaces places)
    {
        const string Script =
            "put the line into a script of its own that begins with #!/bin/sh, and name the script with "
            + "--agent-command /path/of/script --agent-command {taskFile}";
        var (marked, complaint) = AgentComPlaceholders.Mark(text.Trim());
        if (complaint is not null)
        {
            return new Refused(complaint, "name the command with --agent-command, once for each word");
        }

        if (ShellNeed.Of(marked) is { } need)
        {
            return new Refused($"it needs a shell: {need}. A task's words never reach a shell here", Script);
        }

        var (split, unsplit) = ArgvSplitter.Split(marked);
        if (unsplit is not null)
        {
            return new Refused(unsplit, Script);
        }

        var assignments = split.TakeWhile(IsAssignment).ToList();
        var words = split.Skip(assignments.Count).ToList();
        if (words.Count == 0 || AgentComPlaceholders.IsIn(words[0]) || assignments.Exists(AgentComPlaceholders.IsIn))
        {
            return new Refused("its program is not named by it", Script);
        }

        if (ShellNeed.OfProgram(words[0]) is { } builtin)
        {
            return new Refused(builtin, Script);
        }

        if (OpenClawWords.CronWake(new WakeProfile { Command = words }) is { } cron)
        {
            return new Refused(
                cron.Complaint,
                $"{cron.Hint}; here: --agent-command {places.Find(words[0]) ?? "/usr/local/bin/openclaw"}"
            );
        }

        if (IsShellScript(words) && words.Exists(AgentComPlaceholders.IsIn))
        {
            return new Refused(
                $"it gives a task's words to {Path.GetFileName(words[0])} -c, which would carry them out as commands",
                Script
            );
        }

        return places.Find(words[0]) is { } program
            ? Build(program, words, assignments, places)
            : new Refused(
                $"the program {words[0]} is not there",
                "run the import with the PATH that AgentCom's sidecar had, "
                    + "or name the program with --agent-command /path/of/program"
            );
    }

    /// <summary>The profile of a command that was given word for word.</summary>
    public static JsonObject Given(IReadOnlyList<string> command)
    {
        var known = KnownAgents.AdapterOf(command[0]);
        return command.Count == 1 && known is not null
            ? ProfileOf(known, WakeMode.Run, command)
            : ProfileOf("command", WakeMode.Signal, command);
    }

    private static Taken Build(string program, List<string> words, List<string> assignments, IPlaces places)
    {
        var notes = new List<string>();
        var known = KnownAgents.Read(Path.GetFileName(words[0]), words.GetRange(1, words.Count - 1));
        var rest = known?.Words ?? words.GetRange(1, words.Count - 1);
        var command = new List<string> { program };
        foreach (var word in rest)
        {
            command.Add(AgentComPlaceholders.Translate(Absolute(word, places, notes)));
        }

        if (program != words[0])
        {
            notes.Add($"{words[0]} is {program}");
        }

        if (known is not null)
        {
            notes.Add(known.Note);
        }
        else if (rest.Exists(AgentComPlaceholders.IsIn))
        {
            notes.AddRange(
                AgentComPlaceholders
                    .In(string.Concat(rest))
                    .Where(name => name != "${TASK_ID}")
                    .Select(name => $"{name} was text, {{taskFile}} is the path of the file that holds it")
            );
        }

        var profile = ProfileOf(known?.Adapter ?? "command", known?.Mode ?? WakeMode.Signal, command);
        if (known?.OpenClaw is { } openClaw)
        {
            profile["openClaw"] = openClaw;
        }

        if (assignments.Count > 0)
        {
            profile["environment"] = new JsonObject(
                assignments
                    .Select(one => one.Split('=', 2))
                    .GroupBy(pair => pair[0])
                    .Select(group => KeyValuePair.Create<string, JsonNode?>(group.Key, group.Last()[1]))
            );
            notes.Add($"sets {string.Join(", ", assignments.Select(NameOf).Distinct())} in the agent's environment");
        }

        return new Taken(profile, notes);
    }

    // AgentCom tries a wake again after 5, 15 and 30 s; three times here as well, with pauses of 5, 10 and 20 s.
    private static JsonObject ProfileOf(string adapter, string mode, IReadOnlyList<string> command) =>
        new()
        {
            ["name"] = "main",
            ["adapter"] = adapter,
            ["mode"] = mode,
            ["command"] = new JsonArray([.. command.Select(word => JsonValue.Create(word))]),
            ["retries"] = 3,
            ["retryDelay"] = "00:00:05",
        };

    // AgentCom's sidecar ran its commands in its own directory; here an agent begins in its workspace.
    private static string Absolute(string word, IPlaces places, List<string> notes)
    {
        if (word.StartsWith('-') || AgentComPlaceholders.IsIn(word) || places.FileBeside(word) is not { } path)
        {
            return word;
        }

        notes.Add($"{word} is {path}");
        return path;
    }

    private static string NameOf(string assignment) => assignment.Split('=', 2)[0];

    private static bool IsAssignment(string word)
    {
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        return equals > 0
            && !char.IsAsciiDigit(word[0])
            && word[..equals].All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');
    }

    private static bool IsShellScript(List<string> words) =>
        Path.GetFileName(words[0]) is "sh" or "bash" or "dash" or "zsh" or "ksh" or "fish"
        && words.Skip(1).TakeWhile(word => word.StartsWith('-')).Any(word => word.EndsWith('c'));
}

/// <summary>Where the programs and files of a wake command are.</summary>
internal interface IPlaces
{
    /// <summary>The absolute path of a program that may be started, or null.</summary>
    string? Find(string program);

    /// <summary>
    /// The absolute path of a file that a relative name means in the directory of AgentCom's sidecar; null where there
    /// is none.
    /// </summary>
    string? FileBeside(string word);
}
