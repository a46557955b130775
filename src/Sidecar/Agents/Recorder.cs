using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>The tiny program between sidecar and agent that outlives the sidecar and keeps the agent's exit status.</summary>
/// <remarks>
/// A constant shell script: nothing from outside is ever part of its text. Its directory is an argument; its order comes on
/// standard input, one line a word, so that it can be started before there is anything to do; an input that ends first means
/// that nobody wants it. It writes its own line of <c>/proc/self/stat</c> (pid and start time) <i>before</i> it starts the
/// agent, so an intent without this note means that no agent was started. The traps keep it alive when the group is asked to
/// stop; a trapped signal, unlike an ignored one, is back at its default in the agent. Note and exit status are our user's alone. On a full disk, where there
/// is no new file, the status goes over the blanks of a file that was made before the agent; where that is gone too, the disk is waited for. What
/// an agent put in the place of the exit status (a pipe, a directory) is removed first. May get wrong: an agent that ends with a
/// code above 128 of its own accord looks as if a signal had ended it.
/// </remarks>
internal static class Recorder
{
    public const string Shell = "/bin/sh";

    /// <summary>Variable that marks a recorder, with the state directory as its value; the agent does not inherit it.</summary>
    public const string Mark = "FLEET_RECORDER_OF";

    private const int LongestNote = 4096;
    private const string NoteFile = "recorder", ExitFile = "exit", RoomFile = "exit.room", OutputFile = "stdout", ErrorFile = "stderr";

    private const string Script = """
        trap : TERM INT HUP
        fleet_record=$1
        IFS= read -r FLEET_WORKSPACE && IFS= read -r fleet_input && IFS= read -r FLEET_TASK_ID && IFS= read -r FLEET_GENERATION || exit 0
        set --
        while IFS= read -r fleet_word && [ "$fleet_word" != . ]; do set -- "$@" "${fleet_word#-}"; done
        [ "$fleet_word" = . ] || exit 0
        export FLEET_WORKSPACE FLEET_TASK_ID FLEET_GENERATION
        unset FLEET_RECORDER_OF
        { [ -f "$fleet_record/recorder" ] && [ ! -h "$fleet_record/recorder" ]; } || rm -rf -- "$fleet_record/recorder"
        read -r fleet_note </proc/self/stat && printf '%s\n' "$fleet_note" >"$fleet_record/recorder" && cd "$FLEET_WORKSPACE" && [ -r "$fleet_input" ] && exec 0<"$fleet_input" || exit 125
        "$@"
        fleet_code=$?
        umask 077
        { [ -f "$fleet_record/exit" ] && [ ! -h "$fleet_record/exit" ]; } || rm -rf -- "$fleet_record/exit"
        until { printf '%s\n' "$fleet_code" >"$fleet_record/exit" || { [ -f "$fleet_record/exit.room" ] && printf '%-7s\n' "$fleet_code" 1<>"$fleet_record/exit.room"; }; } 2>/dev/null; do [ -d "$fleet_record" ] && sleep 1 || exit; done
        """;

    /// <summary>What to start as the recorder of a directory.</summary>
    public static IReadOnlyList<string> Command(string directory) => [Shell, "-c", Script, "fleet-recorder", directory];

    public static string Directory(string runDirectory, int attempt) => string.Create(CultureInfo.InvariantCulture, $"{runDirectory}/wake-{attempt}");

    public static string Note(string directory) => Path.Combine(directory, NoteFile);

    /// <summary>The file that an exit status is written into where the disk has become too full for a new one.</summary>
    public static string Room(string directory) => Path.Combine(directory, RoomFile);

    /// <summary>What lies there first, as long as the longest line that is written over it: an overwritten block asks the file system for nothing.</summary>
    public static byte[] Blanks { get; } = "       \n"u8.ToArray();

    public static string Output(string directory) => Path.Combine(directory, OutputFile);

    public static string Errors(string directory) => Path.Combine(directory, ErrorFile);

    /// <summary>Where the task is, for the agent.</summary>
    public static string TaskFile(string runDirectory) => Path.Combine(runDirectory, "task.json");

    /// <summary>The order as bytes. Half an order starts nothing: the last word says that it is whole. Kept short, because the shell reads it byte by byte.</summary>
    /// <exception cref="ArgumentException">A word holds a line break or NUL; the configuration rules keep them out.</exception>
    public static byte[] Order(Run run, string workspace, string input, IEnumerable<string> command)
    {
        List<string> words = [workspace, input, run.TaskId, run.Generation.ToString(CultureInfo.InvariantCulture), .. command.Select(word => "-" + word), "."];
        return words.Exists(word => word.AsSpan().ContainsAny('\n', '\0'))
            ? throw new ArgumentException("A word of the order holds a line break or NUL.", nameof(command))
            : Encoding.UTF8.GetBytes(string.Join('\n', words) + "\n");
    }

    /// <summary>The recorder's note: who holds the agent. Null where no recorder got that far, so no agent was started.</summary>
    public static ProcessIdentity? ReadNote(string directory) =>
        ReadLine(Note(directory)) is { } stat ? ProcessIdentity.FromStat(stat, ProcessIdentity.CurrentBootId) : null;

    /// <summary>How the agent ended; no code where the recorder did not get to write it.</summary>
    public static ProcessEnd ReadEnd(string directory, DateTimeOffset now)
    {
        foreach (var path in new[] { Path.Combine(directory, ExitFile), Room(directory) })
        {
            if (ReadLine(path) is { } line && int.TryParse(line.TrimEnd(' '), NumberStyles.None, CultureInfo.InvariantCulture, out var code))
            {
                return new ProcessEnd(code, (PathFacts.Of(path)?.Written ?? now).ToUnixTimeMilliseconds());
            }
        }

        return new ProcessEnd(null, now.ToUnixTimeMilliseconds());
    }

    // A line without its end is a write that was cut off.
    private static string? ReadLine(string path) =>
        OutsideFile.ReadInside(path, LongestNote) is { } bytes && OutsideText.Decode(bytes) is var text && text.EndsWith('\n') ? text.TrimEnd('\n') : null;
}
