using System.Text.Json.Nodes;
using FleetSidecar.Ground;

namespace FleetSidecar.Setup;

/// <summary>The wake profile that a new machine begins with: the command that was given, or the first agent program that this version knows and finds. Pure.</summary>
internal static class FirstProfile
{
    /// <summary>Program and adapter, in the order in which they are looked for.</summary>
    public static IReadOnlyList<(string Program, string Adapter)> Known { get; } =
        [("claude", "claude-code"), ("codex", "codex"), ("gemini", "gemini"), ("opencode", "opencode"), ("openclaw", "openclaw")];

    /// <param name="command">What the operator gave; empty for nothing.</param>
    /// <param name="find">The absolute path of a program, or null.</param>
    /// <param name="mayExecute">There is such a program, and it may be started.</param>
    /// <exception cref="ConfigurationException">There is none, or the command does not begin with the absolute path of one.</exception>
    public static (JsonObject Profile, string Words) Choose(IReadOnlyList<string> command, Func<string, string?> find, Func<string, bool> mayExecute)
    {
        if (command.Count > 0)
        {
            return !Path.IsPathFullyQualified(command[0]) ? throw new ConfigurationException($"the agent command '{command[0]}' is not an absolute path", "for example --agent-command /usr/local/bin/my-agent --agent-command {taskFile}")
                : !mayExecute(command[0]) ? throw new ConfigurationException($"the agent command {command[0]} is not a program that can be started", "install it first, or mend the path; nothing was asked of the hub yet")
                : (Profile("command", command), $"wakes {command[0]}");
        }

        foreach (var (program, adapter) in Known)
        {
            if (find(program) is { } path)
            {
                return (Profile(adapter, [path]), $"found {path}, which the adapter {adapter} wakes");
            }
        }

        throw new ConfigurationException($"no agent program is here: neither of {string.Join(", ", Known.Select(known => known.Program))} is on the PATH",
            "install one, or name your own with --agent-command /path/of/program (once for each word), or write wake.profiles into the configuration; see docs/agents.md");
    }

    /// <summary>Looks along <c>PATH</c>, and where <c>sudo</c> does not look.</summary>
    public static string? OnPath(string program, string? path, Func<string, bool> mayExecute) => (path ?? "").Split(':').Append("/usr/local/bin")
        .Where(Path.IsPathFullyQualified).Select(directory => Path.Combine(directory, program)).FirstOrDefault(mayExecute);

    private static JsonObject Profile(string adapter, IEnumerable<string> command) => new()
    {
        ["name"] = "main", ["adapter"] = adapter, ["command"] = new JsonArray([.. command.Select(word => JsonValue.Create(word))]),
    };
}
