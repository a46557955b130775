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
internal sealed class StepChecks(SidecarConfig config, Origin origin, StepCommand commands, ToolRunner tools, TimeProvider time)
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
        if (await WorkTraps.FindAsync(tools, workspace, config.Workspace.GitTimeout, token) is { } trap)
        {
            return (StepRules.Fail, trap);
        }

        var head = (await origin.AskAsync(workspace, token, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")).Output.Trim();
        using var guard = new FloorGuard(config, time, token, "the work was looked at", fromAbove: true);
        var snapshot = await Snapshot.TakeAsync(origin, tools, guard, workspace, head, Path.Combine(Path.GetDirectoryName(workspace)!, "verify.index"), token);
        if (snapshot.Kept is { } unseen)
        {
            return (StepRules.Skipped, unseen);
        }

        var changed = head.Length == 0 ? snapshot.Tree : await origin.RunAsync(workspace, token, "diff-tree", "-r", "--name-only", "--no-ext-diff", head, snapshot.Tree);
        if (changed.Length > 0 && head.Length > 0 && await FilterOfAllAsync(workspace, head, snapshot.Tree, token) is { } filter)
        {
            return (StepRules.Skipped, $"'{Printable.Cut(changed.Split('\n')[0], 128)}' goes through the filter {Printable.Cut(filter, 40)}, which is not run here: whether it is committed cannot be told");
        }

        return changed.Length == 0 ? (StepRules.Pass, "nothing is left uncommitted")
            : (StepRules.Fail, $"{changed.Split('\n').Length} changes are not committed, the first one: {Printable.Cut(changed.Split('\n')[0], 128)}");
    }

    // The name of a filter where the commit's attributes give one to every file that differs. A filter is a program of whoever configured it.
    private async Task<string?> FilterOfAllAsync(string workspace, string head, string tree, CancellationToken token)
    {
        var scratch = Path.Combine(Path.GetDirectoryName(workspace)!, "verify.filters");
        var (names, index) = ($"{scratch}.names", $"{scratch}.index");
        try
        {
            var variables = new Dictionary<string, string> { ["GIT_INDEX_FILE"] = index, ["GIT_WORK_TREE"] = workspace };
            var listed = await origin.TryAsync(workspace, variables, token, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=M", $"--output={names}", head, tree);
            var others = await origin.TryAsync(workspace, variables, token, "diff-tree", "-r", "--name-only", "--no-renames", "--diff-filter=ADT", head, tree); // What is not in the commit is not committed.
            var read = await origin.TryAsync(workspace, variables, token, "read-tree", head);
            variables[Git.InputFile] = names;
            var asked = await origin.TryAsync(workspace, variables, token, "check-attr", "--cached", "-z", "--stdin", "filter");
            var filters = asked.Output.Split('\0').SkipLast(1).Chunk(3).Select(answer => answer[^1]).ToList();
            return listed.Ok && read.Ok && asked.Ok && others is { Ok: true, Output.Length: 0 } && asked.Output.Length < ToolRunner.OutputLimit && filters.Count > 0 && !filters.Any(filter => filter is "unspecified" or "unset" or "lfs") ? filters[0] : null;
        }
        finally
        {
            File.Delete(names);
            File.Delete(index);
        }
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
                OutsideText.Decode(bytes).Contains(wanted, StringComparison.Ordinal) ? (StepRules.Pass, "the text is there") : (StepRules.Fail, "the text is not there"),
            _ => (StepRules.Fail, $"it is no file that can be read, or longer than {LargestFile} bytes"),
        };
    }
}
