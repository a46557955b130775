using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Agents;

/// <summary>The reports of agents that know no command line: <c>TASK.started</c> and <c>TASK.json</c> in the results directory.</summary>
/// <remarks>A file name holds the task but not the generation, so whatever lies there when an agent is woken is put aside first:
/// it was said about an earlier attempt. What was read is written into the run's directory and read from there ever after; the file itself may be another one by then.</remarks>
internal sealed partial class ResultFiles(SidecarConfig config, Redactor redactor, ILogger<ResultFiles> log)
{
    /// <summary>Before a wake: what lies there was said about an earlier attempt, or by the agent of another profile.</summary>
    public void PutAsideStale(Run run, string runDirectory)
    {
        if (run.Facts.WakeRepeated)
        {
            return; // The same signal once more: what the first one brought counts.
        }

        // Also what was kept: another profile's report is known, and before a first wake only a stranger can have put one there.
        foreach (var file in new[] { Started(run), Result(run), Kept(runDirectory) })
        {
            if (PathFacts.Of(file) is { } facts)
            {
                var aside = PutAside(file, facts.Kind, Path.Combine(runDirectory, $"stale-{run.WakeAttempt}-{Path.GetFileName(file)}"));
                if (file == Result(run) || (file == Kept(runDirectory) && run.Facts.Tried.Count == 0))
                {
                    LogResultPutAside(run.Id, run.TaskId, "it was there before this wake of an agent", aside);
                }
            }
        }
    }

    /// <summary>Names a result file that came after the report that counts, and puts it aside: the first one stands. In a unit the file is the agent's own, and the one that counts lies there still.</summary>
    /// <param name="run">Whose.</param>
    /// <param name="runDirectory">Its directory.</param>
    /// <param name="first">What was known before the agent's end.</param>
    public void TellSecond(Run run, string runDirectory, AgentReport first)
    {
        if (config.AgentsInUnits || PathFacts.Of(Result(run)) is not { } facts)
        {
            return;
        }

        if (Parse(Result(run), out _, out _) is { } said && said with { Repaired = first.Repaired } == first)
        {
            File.Delete(Result(run)); // Said twice, because the first answer was lost.
            return;
        }

        var aside = PutAside(Result(run), facts.Kind, Path.Combine(runDirectory, $"second-{run.WakeAttempt}-{Path.GetFileName(Result(run))}"));
        LogResultPutAside(run.Id, run.TaskId, "the agent had reported before, and the first report stands", aside);
    }

    private static string Kept(string runDirectory) => Path.Combine(runDirectory, "result.json");

    private static string PutAside(string file, PathKind kind, string aside)
    {
        if (kind == PathKind.Directory)
        {
            return Beside(file); // A directory may lie on another file system, or refuse to leave its own.
        }

        aside = PathFacts.Of(aside) is { Kind: PathKind.Directory } ? $"{aside}.{Guid.NewGuid():N}" : aside;
        try
        {
            FileRename.Over(file, aside);
        }
        catch (IOException fault) when (fault.HResult == FileRename.OtherFileSystem)
        {
            // The operator's directory of results.
            if (OutsideFile.Read(file, ResultReport.Largest, followLink: false) is not { } bytes)
            {
                return Beside(file);
            }

            NewFile.Write(aside, bytes);
            File.Delete(file);
        }

        return aside;
    }

    private static string Beside(string file)
    {
        var aside = $"{file}.stale-{Guid.NewGuid():N}";
        FileRename.Over(file, aside);
        return aside;
    }

    public bool HasStarted(Run run) => File.Exists(Started(run));

    /// <summary>Whether there is a result, and nothing of it was changed after a time, its name included.</summary>
    public bool IsUnchangedSince(Run run, DateTimeOffset time) => PathFacts.Of(Result(run)) is { } facts && facts.Changed < time;

    /// <summary>The agent's report, or null while there is none. With <paramref name="final"/> a broken one counts as a failure; before, it may still be being written.</summary>
    public AgentReport? Read(Run run, string runDirectory, bool final)
    {
        var kept = Kept(runDirectory);
        var found = File.Exists(kept) ? kept : Result(run);
        if (PathFacts.Of(found) is not { } facts)
        {
            return null;
        }

        if (facts.Kind != PathKind.File)
        {
            return final ? AgentReport.Unread($"the result file {found} is {Word(facts.Kind)}, not a file") : null;
        }

        var report = Parse(found, out var bytes, out var problem);
        if (report is null)
        {
            return final ? AgentReport.Unread($"the result file {found} {problem}") : null;
        }

        if (found != kept)
        {
            Keep(bytes!, kept, found);
            if (report.Repaired)
            {
                LogTextRepaired(run.Id, run.TaskId, "the result file");
            }
        }

        return report;
    }

    // An agent may have closed its own directory to us; what it said counts all the same, and is read from there at the end.
    private void Keep(byte[] bytes, string kept, string found)
    {
        try
        {
            OwnedFile.Write(kept, bytes, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            if (!config.AgentsInUnits)
            {
                File.Delete(found); // The directory of all runs. That of one goes with it, and until then it is in the agent's hands.
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }

    private string Started(Run run) => Path.Combine(DirectoryOf(run), $"{run.TaskId}.started");

    private string Result(Run run) => Path.Combine(DirectoryOf(run), $"{run.TaskId}.json");

    // Where an agent that was started before the last restart was told to leave its report.
    private string DirectoryOf(Run run) => run.Facts.WokenWith?.Results ?? config.ResultsOf(run.Id);

    private AgentReport? Parse(string path, out byte[]? bytes, out string? problem)
    {
        bytes = config.AgentsInUnits ? OutsideFile.ReadInside(path, ResultReport.Largest) : OutsideFile.Read(path, ResultReport.Largest, followLink: false);
        if (bytes is null)
        {
            problem = PathFacts.Of(path) is { Kind: PathKind.File, Length: > ResultReport.Largest } ? "is longer than 1 MiB" : "cannot be read";
            return null;
        }

        return ResultReport.Read(bytes, out problem) is { } report
            ? report with { Output = Shorten(report.Output), Reason = Shorten(report.Reason) }
            : null;
    }

    private static string Word(PathKind kind) => kind switch
    {
        PathKind.Directory => "a directory",
        PathKind.Link => "a link",
        PathKind.Socket => "a socket",
        _ => "a pipe or a device",
    };

    private string? Shorten(string? text) => redactor.Tail(text, WireLimits.MaxResultOutput);

    [LoggerMessage(EventIds.ResultPutAside, LogLevel.Warning, "{Run} {Task}: a result file does not count: {Why}; it is {File} now", EventName = "ResultPutAside")]
    private partial void LogResultPutAside(string run, string task, string why, string file);

    [LoggerMessage(EventIds.AgentTextRepaired, LogLevel.Warning, "{Run} {Task}: {What} of the agent held something that is no text, such as half of an emoji; U+FFFD stands in its place",
        EventName = "AgentTextRepaired")]
    private partial void LogTextRepaired(string run, string task, string what);
}
