using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Workspaces;

/// <summary>Carries out the verification steps of a task. What this version does not know is reported as skipped, never as passed.</summary>
/// <remarks>
/// Steps look at the workspace as the agent left it, not at the commit: a step <c>git_clean</c> says that the two are the same.
/// Every step may be done again after a crash; what an earlier try left running is killed first.
/// </remarks>
internal sealed class StepChecks(SidecarConfig config, Origin origin, StepCommand commands, TimeProvider time)
{
    private const int LargestFile = 1024 * 1024;

    /// <param name="run">Whose steps.</param>
    /// <param name="workspace">Where its work is.</param>
    /// <param name="idle">Why no step is to be carried out, or null.</param>
    /// <param name="token">Stops the step that is under way.</param>
    public async Task<List<VerificationCheck>> RunAsync(Run run, string workspace, string? idle, CancellationToken token)
    {
        var (checks, started) = (new List<VerificationCheck>(), time.GetTimestamp());
        foreach (var step in run.Assignment.VerificationSteps ?? [])
        {
            var left = LimitOf(run) - time.GetElapsedTime(started);
            var (status, detail) = idle is not null ? (StepRules.Skipped, idle)
                : left <= TimeSpan.Zero ? (StepRules.Fail, "the task's verification_timeout_ms was over before this step began")
                : await RunAsync(run, step, workspace, checks.Count + 1, left < config.Workspace.VerifyTimeout ? left : config.Workspace.VerifyTimeout, token);
            checks.Add(StepRules.Check(step, status, detail));
        }

        return checks;
    }

    private static TimeSpan LimitOf(Run run) =>
        run.Assignment.VerificationTimeoutMs is > 0 and var limit && limit < (long)TimeSpan.FromDays(7).TotalMilliseconds ? TimeSpan.FromMilliseconds(limit) : TimeSpan.FromDays(7);

    private async Task<(string Status, string Detail)> RunAsync(Run run, VerificationStep step, string workspace, int number, TimeSpan limit, CancellationToken token) => step.Type switch
    {
        "file_exists" => StepRules.Inside(step.Target, workspace) is { Complaint: { } complaint } ? (StepRules.Fail, complaint) : (StepRules.Pass, "it is there"),
        "file_contains" => Contains(step.Target, workspace),
        "git_clean" => await IsCleanAsync(workspace, token),
        "command" or "command_succeeds" => await CommandAsync(run, step.Target ?? "", workspace, number, limit, token),
        "tests_pass" or "test_passes" => !string.IsNullOrWhiteSpace(step.Target) ? await CommandAsync(run, step.Target, workspace, number, limit, token)
            : config.Workspace.TestCommand is { Count: > 0 } command ? await commands.RunAsync(run, command, workspace, number, limit, token)
            : (StepRules.Skipped, "the step names no command and workspace.testCommand is not set"),
        _ => (StepRules.Skipped, "this version does not run this kind of step"),
    };

    private async Task<(string Status, string Detail)> CommandAsync(Run run, string text, string workspace, int number, TimeSpan limit, CancellationToken token)
    {
        var (words, complaint) = ArgvSplitter.Split(text);
        return complaint is not null ? (StepRules.Fail, complaint)
            : !StepRules.MayRun(words[0], config.Workspace.VerifyCommands) ? (StepRules.Skipped, $"workspace.verifyCommands does not allow {Printable.Cut(words[0], 128)}")
            : await commands.RunAsync(run, words, workspace, number, limit, token);
    }

    // The clone's own "git status" would run whatever programs the agent configured there.
    private async Task<(string Status, string Detail)> IsCleanAsync(string workspace, CancellationToken token)
    {
        var head = (await origin.AskAsync(workspace, token, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")).Output.Trim();
        var snapshot = await Snapshot.TakeAsync(origin, workspace, head, Path.Combine(Path.GetDirectoryName(workspace)!, "verify.index"), token);
        if (snapshot.Kept is { } unseen)
        {
            return (StepRules.Skipped, unseen);
        }

        var changed = head.Length == 0 ? snapshot.Tree : await origin.RunAsync(workspace, token, "diff-tree", "-r", "--name-only", "--no-ext-diff", head, snapshot.Tree);
        return changed.Length == 0 ? (StepRules.Pass, "nothing is left uncommitted")
            : (StepRules.Fail, $"{changed.Split('\n').Length} changes are not committed, the first one: {Printable.Cut(changed.Split('\n')[0], 128)}");
    }

    private static (string Status, string Detail) Contains(string? target, string workspace)
    {
        if (ArgvSplitter.Split(target ?? "") is not { Complaint: null, Words: [var file, { Length: > 0 } wanted] })
        {
            return (StepRules.Fail, "the step needs a path and a text: src/app.cs \"some text\"");
        }

        return StepRules.Inside(file, workspace) switch
        {
            { Path: null } found => (StepRules.Fail, found.Complaint!),
            { Path: { } path } when OutsideFile.Read(path, LargestFile, followLink: true) is { } bytes =>
                System.Text.Encoding.UTF8.GetString(bytes).Contains(wanted, StringComparison.Ordinal) ? (StepRules.Pass, "the text is there") : (StepRules.Fail, "the text is not there"),
            _ => (StepRules.Fail, $"it is no file that can be read, or longer than {LargestFile} bytes"),
        };
    }
}

/// <summary>Checks whether a program ends with 0: argv without a shell, a time limit, an environment without secrets, its output kept.</summary>
internal sealed class StepCommand(SidecarConfig config, ToolRunner tools, StepLeftovers leftovers, Ground.Logs.Redactor redactor)
{
    private const int TailLength = 300, KeptOfEach = 500_000;
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);
    private static readonly string[] Inherited = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];

    public async Task<(string Status, string Detail)> RunAsync(Run run, IReadOnlyList<string> words, string workspace, int number, TimeSpan limit, CancellationToken token)
    {
        var environment = EnvironmentOf(run, workspace);
        var (program, complaint) = StepRules.Program(words[0], workspace, environment["PATH"]);
        if (complaint is not null)
        {
            return (StepRules.Fail, complaint);
        }

        leftovers.Sweep();
        try
        {
            var outcome = await tools.RunAsync([program!, .. words.Skip(1)], environment, workspace, limit, token, Linger);
            var said = outcome.TimedOut ? $"no end after {limit}" : $"exit code {outcome.ExitCode}";
            Keep(run, number, words, said, outcome);
            return (outcome.Ok ? StepRules.Pass : StepRules.Fail, $"{said}{Tail(outcome)}");
        }
        catch (SpawnException fault)
        {
            return (StepRules.Fail, redactor.Clean(fault.Message));
        }
        finally
        {
            leftovers.Kill(run);
        }
    }

    // Nothing of the profile's: keys of providers are none of the tests' business.
    private Dictionary<string, string> EnvironmentOf(Run run, string workspace)
    {
        var variables = Inherited.Select(name => (Name: name, Value: Environment.GetEnvironmentVariable(name))).Where(pair => pair.Value is not null)
            .ToDictionary(pair => pair.Name, pair => pair.Value!);
        variables.TryAdd("PATH", "/usr/local/bin:/usr/bin:/bin");
        variables["GIT_TERMINAL_PROMPT"] = "0";
        variables["FLEET_TASK_ID"] = run.TaskId;
        variables["FLEET_GENERATION"] = run.Generation.ToString(System.Globalization.CultureInfo.InvariantCulture);
        variables["FLEET_WORKSPACE"] = workspace;
        variables[StepLeftovers.Mark] = leftovers.MarkOf(run.Id);
        return variables;
    }

    private void Keep(Run run, int number, IReadOnlyList<string> words, string said, ToolOutcome outcome)
    {
        var directory = Directory.CreateDirectory(Path.Combine(config.RunsDirectory, run.Id)).FullName;
        File.WriteAllText(Path.Combine(directory, $"verify-{number}.log"),
            $"{string.Join(' ', words)}\n{said}\n--- standard output\n{Cut(outcome.Output, outcome.Last.Output)}\n--- standard error\n{Cut(outcome.TimedOut ? outcome.Last.Error : outcome.Error, outcome.Last.Error)}\n");
    }

    private static string Cut(string text, string tail) => text.Length <= KeptOfEach ? text : $"{text[..(KeptOfEach - tail.Length)]}\n[…]\n{tail}";

    // Cleaned before it is cut: half a secret would not be known as one.
    private string Tail(ToolOutcome outcome)
    {
        var (output, error) = (redactor.Clean(outcome.Last.Output).Trim(), redactor.Clean(outcome.Last.Error).Trim());
        var share = output.Length > 0 && error.Length > 0 ? TailLength / 2 : TailLength;
        var kept = string.Join(" | ", new[] { output, error }.Where(text => text.Length > 0).Select(text => Printable.Cut(text.Length > share ? text[^share..] : text, share)));
        return kept.Length == 0 ? "" : $": {kept}";
    }
}
