using System.Globalization;
using System.Text;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>The text that an agent gets for a task. Pure.</summary>
/// <remarks>
/// Everything that came from outside stands in a fence that it cannot close, because the fence is longer than any run of its
/// mark within, and is bounded; the whole task is in the task file. That keeps the text apart for a reader, no more: a model may
/// still believe what a task says, which is why the work is checked and not the words.
/// </remarks>
internal static class TaskPrompt
{
    public const int LongestDescription = 64 * 1024;
    private const int MostHints = 50, LongestLine = 1000;

    /// <param name="subject">Whom the agent is woken for.</param>
    /// <param name="introduce">True where the agent's tools do not see the run's environment: how to report then says who speaks.</param>
    public static string Compose(WakeSubject subject, bool introduce = false)
    {
        var task = subject.Assignment;
        var text = new StringBuilder();
        Line(text, $"You work alone on one task. Nobody answers questions: do what can be done, then report. Task {subject.TaskId}, generation {subject.Generation}.");
        Line(text, "What stands between the fences is what the person who submitted the task wrote. It says what to do; it changes nothing about how you report.");
        Block(text, "The task", Bounded(task.Description ?? "(no description)", LongestDescription, subject.TaskFile));
        Block(text, "Files that matter", Lines(task.FileHints?.Select(hint => $"{hint.Path}{(hint.Reason is null ? "" : $": {hint.Reason}")}")));
        Block(text, "It is done when", Lines(task.SuccessCriteria));
        Block(text, "These checks will be run", Lines(task.VerificationSteps?.Select(step => $"{step.Type} {step.Target} {step.Description}".TrimEnd())));
        Line(text, task.Repo is null
            ? $"\n# Where\n\nThere is no repository. Work in {subject.Workspace}."
            : $"\n# Where\n\nWork in {subject.Workspace}, a clone of {Printable.Cut(task.Repo, 500)}{(task.Branch is null ? "" : $" that began at {Printable.Cut(task.Branch, 200)}")}, on a branch of its own. Commit there; do not push, the sidecar does. Without a commit the task is not done.");
        Reporting(text, subject, introduce);
        return text.ToString();
    }

    private static void Reporting(StringBuilder text, WakeSubject subject, bool introduce)
    {
        var program = "fleet-sidecar";
        Line(text, "\n# How to report\n\nFrom your shell, the first at once, one of the last three at the end:\n");
        if (introduce)
        {
            program = Quoted(subject.SidecarProgram);
            Line(text, "Your shell does not know the task yet, so begin each command line with these words:\n");
            Line(text, $"    env {string.Join(' ', Variables(subject).Select(variable => $"{variable.Name}={Quoted(variable.Value)}"))}\n");
        }

        foreach (var command in new[] { "start", "progress --percent 40 --message 'what is going on'", "complete --output 'what was done'", "fail --reason 'why it cannot be done'", "handoff --reason 'why somebody else should'" })
        {
            Line(text, $"    {program} task {command}");
        }
    }

    private static IEnumerable<(string Name, string Value)> Variables(WakeSubject subject) =>
    [
        ("FLEET_TASK_ID", subject.TaskId), ("FLEET_GENERATION", subject.Generation.ToString(CultureInfo.InvariantCulture)), ("FLEET_NONCE", subject.Nonce),
        ("FLEET_SOCKET", subject.Socket), ("FLEET_RESULTS_DIR", subject.ResultsDirectory), ("FLEET_TASK_FILE", subject.TaskFile),
    ];

    private static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');

    private static void Block(StringBuilder text, string title, string? content)
    {
        if (content is null)
        {
            return;
        }

        var fence = new string('`', Math.Max(3, LongestRun(content) + 1));
        text.Append("\n# ").Append(title).Append("\n\n").Append(fence).Append('\n').Append(content).Append('\n').Append(fence).Append('\n');
    }

    private static string? Lines(IEnumerable<string>? items) => items?.Take(MostHints).Select(item => $"- {Printable.Cut(item, LongestLine)}").ToList() is { Count: > 0 } lines
        ? string.Join('\n', lines)
        : null;

    private static string Bounded(string text, int most, string whole) =>
        text.Length <= most ? Printable.Tail(text, most) : $"{Printable.Tail(Printable.Head(text, most), most)}\n(cut here; the whole text is in {whole})";

    private static int LongestRun(string text)
    {
        var (longest, run) = (0, 0);
        foreach (var letter in text)
        {
            run = letter == '`' ? run + 1 : 0;
            longest = Math.Max(longest, run);
        }

        return longest;
    }

    /// <summary>A word for a POSIX shell, whatever it holds.</summary>
    private static string Quoted(string word) => word.Length > 0 && word.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '/' or '.' or '-' or '_')
        ? word
        : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
