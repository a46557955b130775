using System.Globalization;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>The tiny program between sidecar and agent that outlives the sidecar and keeps the agent's exit status.</summary>
/// <remarks>
/// A constant shell script: nothing from outside is ever part of its text, the agent's command arrives as <c>"$@"</c>. It writes
/// its own line of <c>/proc/self/stat</c> (pid and start time) <i>before</i> it starts the agent, so an intent without this note
/// means that no agent was started. The traps keep it alive when the group is asked to stop; a trapped signal, unlike an ignored
/// one, is back at its default in the agent. May get wrong: an agent that ends with a code above 128 of its own accord looks as
/// if a signal had ended it.
/// </remarks>
internal static class Recorder
{
    public const string Shell = "/bin/sh";
    private const string NoteFile = "recorder", ExitFile = "exit", OutputFile = "stdout", ErrorFile = "stderr";

    private const string Script = """
        trap : TERM INT HUP
        read -r note < /proc/self/stat && printf '%s\n' "$note" > "$1/recorder" || exit 125
        record=$1
        shift
        "$@"
        printf '%s\n' "$?" > "$record/exit"
        """;

    public static string Directory(string runDirectory, int attempt) => Path.Combine(runDirectory, string.Create(CultureInfo.InvariantCulture, $"wake-{attempt}"));

    public static string Output(string directory) => Path.Combine(directory, OutputFile);

    public static string Errors(string directory) => Path.Combine(directory, ErrorFile);

    public static List<string> Wrap(string directory, IEnumerable<string> command) => [Shell, "-c", Script, "fleet-recorder", directory, .. command];

    /// <summary>The recorder's note: who holds the agent. Null where no recorder got that far, so no agent was started.</summary>
    public static ProcessIdentity? ReadNote(string directory)
    {
        var path = Path.Combine(directory, NoteFile);

        // The boot is not in the note; a file that was there before this boot is told by the run's own boot id.
        return ReadLine(path) is { } stat ? ProcessIdentity.FromStat(stat, ProcessIdentity.CurrentBootId) : null;
    }

    /// <summary>How the agent ended; no code where the recorder did not get to write it.</summary>
    public static ProcessEnd ReadEnd(string directory, DateTimeOffset now)
    {
        var path = Path.Combine(directory, ExitFile);
        return ReadLine(path) is { } line && int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var code)
            ? new ProcessEnd(code, new DateTimeOffset(File.GetLastWriteTimeUtc(path)).ToUnixTimeMilliseconds())
            : new ProcessEnd(null, now.ToUnixTimeMilliseconds());
    }

    // A line without its end is a write that was cut off.
    private static string? ReadLine(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            return text.EndsWith('\n') ? text.TrimEnd('\n') : null;
        }
        catch (Exception absent) when (absent is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
