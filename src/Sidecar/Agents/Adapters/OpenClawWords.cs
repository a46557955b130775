using System.Globalization;

namespace FleetSidecar.Agents.Adapters;

/// <summary>What OpenClaw is told on its command line, and what an operator is told who was told wrong.</summary>
internal static class OpenClawWords
{
    /// <summary>The command that many guides name and that no version of OpenClaw has had.</summary>
    private static AdapterProblem NoCronWake { get; } = new("command", "calls 'openclaw cron wake', which does not exist; OpenClaw ends with exit code 1",
        "set \"adapter\": \"openclaw\" with the program's path alone as the command: mode run does the whole turn, mode signal sends 'openclaw system event --mode now'");

    /// <summary>The complaint about a profile that calls it, OpenClaw itself or a shell for it; null for any other.</summary>
    public static AdapterProblem? CronWake(WakeProfile profile)
    {
        var words = profile.Command.Where(part => part is not null).SelectMany(part => part.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ToList();
        return words.Exists(word => Path.GetFileName(word) is "openclaw" or "openclaw.mjs" or "clawdbot" or "moltbot")
            && Enumerable.Range(0, Math.Max(0, words.Count - 1)).Any(index => words[index] == "cron" && words[index + 1] == "wake")
            ? NoCronWake
            : null;
    }

    /// <summary>An event's text. Ours alone: the task's words stay in the file, off every command line.</summary>
    public static string Signal(WakeSubject subject) => string.Create(CultureInfo.InvariantCulture,
        $"FleetSidecar has work for you: task {subject.TaskId}, generation {subject.Generation}, nonce {subject.Nonce}. Read {subject.PromptFile} now and do what it says; it also says how to report.");
}
