using System.CommandLine;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Import;
using FleetSidecar.Protocol;

namespace FleetSidecar.Cli;

/// <summary>
/// <c>config import-agentcom</c>: the configuration of AgentCom's sidecar as one of ours, with a table of what became
/// what.
/// </summary>
internal static class ImportCommand
{
    private const int LongestNote = 400;

    private static readonly Argument<string> Source = new("file")
    {
        Description = "The config.json of AgentCom's sidecar",
        HelpName = "FILE",
    };
    private static readonly Option<string> AgentDirectory = new("--agent-dir")
    {
        Description = "The agent's directory; default: the one that FILE lies in, or ~/.agentcom/NAME",
        HelpName = "DIR",
    };
    private static readonly Option<string> Result = new("--output", "-o")
    {
        Description = "Where the configuration goes; the token goes into hub-token beside it",
        DefaultValueFactory = _ => ConfigLoader.DefaultPath,
        HelpName = "FILE",
    };
    private static readonly Option<string[]> AgentWords = new("--agent-command")
    {
        Description =
            "Program (absolute path) and arguments that wake the agent, once for each word; "
            + "default: the wake_command of FILE",
        HelpName = "WORD",
    };
    private static readonly Option<bool> Force = new("--force")
    {
        Description = "Replace what is there; the old files stay as .bak",
    };
    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "Show what would become what, and write nothing",
    };
    private static readonly Option<bool> RemoveToken = new("--remove-token")
    {
        Description = "At the end, take the token out of AgentCom's files; its sidecar does not start again then",
    };
    private static readonly Option<bool> Points = new("--crash-points")
    {
        Description = "For tests: read FLEET_CRASH_POINT",
        Hidden = true,
    };

    public static Command Create(Option<bool> json)
    {
        var command = new Command(
            "import-agentcom",
            "Write our configuration from that of AgentCom's sidecar, and say what became of each key. "
                + "The token goes into a file that only its owner can read. FILE stays as it is. "
                + "Exit code 78 where it cannot be carried over.\n\n"
                + "Example:\n  fleet-sidecar config import-agentcom ./config.json --dry-run\n"
                + "  fleet-sidecar config import-agentcom ./config.json --output ./sidecar.json"
        )
        {
            Source,
            AgentDirectory,
            Result,
            AgentWords,
            Force,
            DryRun,
            RemoveToken,
            Points,
            json,
        };
        command.SetAction(arguments => Run(arguments, arguments.GetValue(json)));
        return command;
    }

    private static int Run(ParseResult arguments, bool json)
    {
        if (arguments.GetValue(Points))
        {
            CrashPoints.Arm();
        }

        var steps = new ImportSteps(
            new ImportRequest
            {
                Source = Absolute(arguments.GetValue(Source), "FILE"),
                AgentDirectory = arguments.GetValue(AgentDirectory) is { } directory
                    ? Absolute(directory, "--agent-dir")
                    : null,
                Output = Absolute(arguments.GetValue(Result), "--output"),
                AgentCommand = Command(arguments.GetValue(AgentWords) ?? []),
                Force = arguments.GetValue(Force),
                DryRun = arguments.GetValue(DryRun),
                RemoveToken = arguments.GetValue(RemoveToken),
            }
        );
        try
        {
            steps.Run();
            Terminal.Write(
                json
                    ? JsonSerializer.Serialize(steps.Report, ImportJson.Default.ImportReport) + "\n"
                    : Text(steps.Report)
            );
            return ExitCodes.Ok;
        }
        catch (Exception fault) when (json && fault is SidecarException or IOException or UnauthorizedAccessException)
        {
            var report = steps.Report with
            {
                Error = fault.Message,
                Hint = (fault as SidecarException)?.Hint ?? "check the path and who may use it",
            };
            Terminal.Write(JsonSerializer.Serialize(report, ImportJson.Default.ImportReport) + "\n");
            throw;
        }
    }

    private static string Absolute(string? path, string name) =>
        path is { Length: > 0 } && !path.Contains('\0', StringComparison.Ordinal)
            ? Path.GetFullPath(path)
            : throw new UsageException($"{name} names no file", "see 'fleet-sidecar config import-agentcom --help'");

    private static string[] Command(string[] words) =>
        words.Length == 0 || Path.IsPathFullyQualified(words[0])
            ? words
            : throw new UsageException(
                $"--agent-command '{Printable.Cut(words[0], 100)}' is not an absolute path",
                "for example --agent-command /usr/local/bin/my-agent --agent-command {taskFile}"
            );

    private static string Text(ImportReport report)
    {
        var (keys, became) = (report.Rows.Max(row => row.Key.Length), report.Rows.Max(row => row.Became?.Length ?? 0));
        var lines = report
            .Rows.Select(row =>
                $"{Printable.Cut(row.Key, LongestNote).PadRight(keys)}  {(row.Became ?? "-").PadRight(became)}  "
                + $"{Outcome(row)}{Printable.Cut(row.Note, LongestNote)}"
            )
            .ToList();
        lines.Add("");
        lines.Add(
            report.Config switch
            {
                "written" => $"wrote {report.TokenFile} and {report.ConfigFile}",
                "unchanged" => $"{report.ConfigFile} says all of it already",
                _ => $"nothing was written; it would be {report.TokenFile} and {report.ConfigFile}",
            }
        );
        lines.AddRange(report.Next.Select((step, index) => $"{(index == 0 ? "next:" : "     ")} {step}"));
        return string.Join('\n', lines.Select(line => line.TrimEnd())) + "\n";
    }

    private static string Outcome(ImportRow row) => row.Outcome == ImportOutcome.LeftOut ? "left out: " : "";
}
