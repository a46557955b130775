using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Gate;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Cli;

/// <summary><c>gate check</c>: whether a branch may be merged without a person looking at it.</summary>
internal static class GateCommands
{
    private const int LargestReport = 4 * 1024 * 1024;

    private static readonly Option<string> Repository = new("--repository") { Description = "Address or directory of the repository", Required = true, HelpName = "URL|DIR" };
    private static readonly Option<string> Branch = new("--branch") { Description = "The branch that holds the work", Required = true };
    private static readonly Option<string?> Base = new("--base") { Description = "The branch to merge into; default the repository's default branch" };
    private static readonly Option<string?> Task = new("--task") { Description = "The task's id" };
    private static readonly Option<string?> Agent = new("--agent") { Description = "The agent's id; the branch then has to be exactly AGENT/TASK" };
    private static readonly Option<string?> Generation = new("--generation") { HelpName = "NUMBER", Description = "The generation of the task that did the work" };
    private static readonly Option<string?> Report = new("--verification") { Description = "JSON with the report of the checks: a task_complete, a task of the hub's API, or a run; default what the daemon here knows of the task", HelpName = "FILE" };

    public static Command Create(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var check = new Command("check", "Judge a branch by facts alone: auto-merge (exit code 0), review (10) or escalate (20), with reasons.\n\n"
            + "Example:\n  fleet-sidecar gate check --repository https://git.example/app.git --branch iris/task-0123456789abcdef \\\n"
            + "    --agent iris --task task-0123456789abcdef --generation 1 --verification task.json")
        {
            Repository, Branch, Base, Task, Agent, Generation, Report, config, set, json,
        };
        check.SetAction(async (arguments, token) =>
        {
            try
            {
                return await CheckAsync(arguments, arguments.GetResult(config)?.Implicit != false, arguments.GetValue(set) ?? [], arguments.GetValue(json), token);
            }
            catch (OperationCanceledException)
            {
                // 0 is a verdict here and must never come from being interrupted.
                throw new SidecarException("interrupted before there was a verdict", "run it again");
            }
        });
        return new Command("gate", "Judge finished work before it is merged.") { check };
    }

    private static async Task<int> CheckAsync(ParseResult arguments, bool usualFile, string[] set, bool json, CancellationToken token)
    {
        var request = Request(arguments);

        // The gate is for the hub's machine and for desks too, where no sidecar is set up.
        var config = usualFile && set.Length == 0 && !File.Exists(ConfigLoader.DefaultPath) ? null : SidecarCommands.Load(arguments);
        request = request with
        {
            Verification = arguments.GetValue(Report) is { } file ? FromFile(file) : config is not null && request.Task is { } task ? await FromDaemonAsync(config, task, token) : null,
        };
        var workspace = config?.Workspace ?? new WorkspaceOptions();
        var options = config?.Gate ?? new GateOptions();
        var facts = await new GateReader(new Git(new ToolRunner(TimeProvider.System), workspace), options).ReadAsync(request, token);
        var reasons = GateRules.Judge(facts, options);
        var report = GateReport.Of(facts, reasons);
        var redactor = new Redactor();
        if (config is not null)
        {
            new KnownSecrets(config, redactor).Learn();
        }

        Terminal.Write(redactor.Clean(json ? JsonSerializer.Serialize(report, GateJson.Default.GateReport) + "\n" : report.Text()));
        return GateRules.Verdict(reasons) switch
        {
            GateWeight.AutoMerge => ExitCodes.Ok,
            GateWeight.Review => ExitCodes.GateReview,
            _ => ExitCodes.GateEscalate,
        };
    }

    private static GateRequest Request(ParseResult arguments)
    {
        var repository = arguments.GetValue(Repository)!;
        repository = Directory.Exists(repository) ? Path.GetFullPath(repository) : repository;
        if (RepositoryAddress.Complaint(repository) is { } complaint)
        {
            throw new UsageException($"--repository {complaint}", "name an https:// or ssh:// address, or a directory that exists");
        }

        foreach (var (name, branch) in new[] { ("--branch", arguments.GetValue(Branch)), ("--base", arguments.GetValue(Base)) })
        {
            if (branch is not null && RepositoryAddress.BranchComplaint(branch) is { } wrong)
            {
                throw new UsageException($"{name} {wrong}", "for example iris/task-0123456789abcdef");
            }
        }

        foreach (var (name, id) in new[] { ("--task", arguments.GetValue(Task)), ("--agent", arguments.GetValue(Agent)) })
        {
            if (id is not null && !TaskIds.IsValid(id))
            {
                throw new UsageException($"{name} must be 1 to 128 letters, digits, '.', '_' or '-'", "take it from 'fleet-hub task list'");
            }
        }

        long? generation = null;
        if (arguments.GetValue(Generation) is { } text)
        {
            generation = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw new UsageException("--generation must be a number, 0 or more", "take it from the task at the hub");
        }

        return new GateRequest(repository, arguments.GetValue(Branch)!, arguments.GetValue(Base), arguments.GetValue(Task), arguments.GetValue(Agent), generation, null);
    }

    private static GateVerification FromFile(string file)
    {
        try
        {
            return OutsideFile.Read(file, LargestReport, followLink: true) is { } bytes && VerificationReports.Read(bytes) is { } report ? report
                : throw new UsageException($"{file} cannot be read or holds no report of checks", "write the answer of GET /api/tasks/ID into it");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new UsageException($"{file} is no JSON that can be read", "write the answer of GET /api/tasks/ID into it");
        }
    }

    // No daemon, no run, no report: then it is missing, and the verdict says so.
    private static async Task<GateVerification?> FromDaemonAsync(SidecarConfig config, string task, CancellationToken token)
    {
        try
        {
            var answer = await ControlClient.AskAsync(config.SocketFile, new ControlRequest { Verb = "run", Run = task }, token);
            return answer is { Ok: true, Runs: [{ VerificationReport: { } report } run] } ? VerificationReports.Of(report, run.Commit, run.Generation, run.BaseCommit) with { Task = run.TaskId, Branch = run.Branch, BadEnd = (run.Outcome ?? run.State) is "completed" ? null : run.Outcome ?? run.State } : null;
        }
        catch (DaemonUnavailableException)
        {
            return null;
        }
    }
}
