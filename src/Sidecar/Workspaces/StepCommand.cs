using System.Text;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Checks whether a program ends with 0: argv without a shell, a time limit, an environment without secrets, its output kept.</summary>
internal sealed class StepCommand(SidecarConfig config, ToolRunner tools, UnitTool units, StepLeftovers leftovers, Ground.Logs.Redactor redactor)
{
    private const int TailLength = 300, KeptTail = 4000, KeptOfEach = 500_000;
    // The step's parent is this shell and not the daemon, so that a step that kills its parent ends itself alone. A constant text:
    // nothing from outside is ever part of it.
    private static readonly string[] Parent = ["/bin/sh", "-c", "\"$@\"; exit $?", "fleet-step"];
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    public async Task<(string Status, string Detail)> RunAsync(Run run, IReadOnlyList<string> words, string workspace, int number, TimeSpan limit, CancellationToken token)
    {
        try
        {
            var (outcome, complaint) = config.AgentsInUnits ? await RunInUnitAsync(run, words, workspace, number, limit, token) : await RunHereAsync(run, words, workspace, limit, token);
            if (outcome is null)
            {
                return (StepRules.Fail, complaint!);
            }

            var said = outcome.TimedOut ? $"no end after {limit}" : $"exit code {outcome.ExitCode}";
            return (outcome.Ok ? StepRules.Pass : StepRules.Fail, $"{said}{Keep(run, number, words, said, outcome)}{Tail(outcome)}");
        }
        catch (SidecarException fault)
        {
            return (StepRules.Fail, redactor.Clean(fault.Message));
        }
    }

    private async Task<(ToolOutcome? Outcome, string? Complaint)> RunHereAsync(Run run, IReadOnlyList<string> words, string workspace, TimeSpan limit, CancellationToken token)
    {
        var environment = EnvironmentOf(run, workspace);
        var (program, complaint) = StepRules.Program(words[0], workspace, environment["PATH"]);
        if (complaint is not null)
        {
            return (null, complaint);
        }

        leftovers.Sweep();
        try
        {
            return (await tools.RunAsync([.. Parent, program!, .. words.Skip(1)], environment, workspace, limit, token, Linger, ownSession: true), null);
        }
        finally
        {
            leftovers.Kill(run);
        }
    }

    // As the agents' user, who has other programs than we have: what stands in a PATH is found in there, not here. With the profile's
    // network named, so that a run whose claim of a user is gone does not get the whole of it.
    private async Task<(ToolOutcome? Outcome, string? Complaint)> RunInUnitAsync(Run run, IReadOnlyList<string> words, string workspace, int number, TimeSpan limit, CancellationToken token)
    {
        var (program, complaint) = words[0].Contains('/', StringComparison.Ordinal) && !Path.IsPathFullyQualified(words[0]) ? StepRules.Program(words[0], workspace, "") : (words[0], null);
        return complaint is not null ? (null, complaint)
            : (await units.RunAsync(run.Id, $"verify-{number}", FactsOf(run, workspace), [program!, .. words.Skip(1)], workspace, limit, token, run.Profile.Mode == WakeMode.Run ? run.Profile.Network : null), null);
    }

    private static Dictionary<string, string> FactsOf(Run run, string workspace) => new()
    {
        ["GIT_TERMINAL_PROMPT"] = "0",
        ["FLEET_TASK_ID"] = run.TaskId,
        ["FLEET_GENERATION"] = run.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["FLEET_WORKSPACE"] = workspace,
    };

    // Nothing of the profile's: keys of providers are none of the tests' business.
    private Dictionary<string, string> EnvironmentOf(Run run, string workspace)
    {
        var variables = Inherited.Select(name => (Name: name, Value: Environment.GetEnvironmentVariable(name))).Where(pair => pair.Value is not null)
            .ToDictionary(pair => pair.Name, pair => pair.Value!);
        variables.TryAdd("PATH", "/usr/local/bin:/usr/bin:/bin");
        foreach (var (name, value) in FactsOf(run, workspace))
        {
            variables[name] = value;
        }

        variables[StepLeftovers.Mark] = leftovers.MarkOf(run.Id);
        return variables;
    }

    // The outcome counts also where its log cannot be kept: an agent may have put something else in that place, or the disk is full.
    private string Keep(Run run, int number, IReadOnlyList<string> words, string said, ToolOutcome outcome)
    {
        var text = $"{string.Join(' ', words)}\n{said}\n--- standard output\n{Cut(outcome.Output, outcome.Last.Output)}\n--- standard error\n{Cut(outcome.TimedOut ? outcome.Last.Error : outcome.Error, outcome.Last.Error)}\n";
        try
        {
            var file = Path.Combine(Directory.CreateDirectory(Path.Combine(config.RunsDirectory, run.Id)).FullName, $"verify-{number}.log");
            NewFile.Write(file, Encoding.UTF8.GetBytes(text));
            return "";
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return $" (its output is not kept: {fault.Message})";
        }
    }

    private static string Cut(string text, string tail) => text.Length <= KeptOfEach ? text : $"{text[..(KeptOfEach - tail.Length)]}\n[…]\n{tail}";

    // What is as long as the tail that is kept may begin in the middle of a secret.
    private static string Marked(string tail) => tail.Length < KeptTail ? tail : $"…{tail}";

    // Cleaned before it is cut: half a secret would not be known as one.
    private string Tail(ToolOutcome outcome)
    {
        var (output, error) = (redactor.Clean(Marked(outcome.Last.Output)).Trim(), redactor.Clean(Marked(outcome.Last.Error)).Trim());
        var share = output.Length > 0 && error.Length > 0 ? TailLength / 2 : TailLength;
        var kept = string.Join(" | ", new[] { output, error }.Where(text => text.Length > 0).Select(text => Printable.Cut(text.Length > share ? text[^share..] : text, share)));
        return kept.Length == 0 ? "" : $": {kept}";
    }
}
