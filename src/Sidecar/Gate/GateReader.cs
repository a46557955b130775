using System.Globalization;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Gate;

/// <summary>What is to be judged.</summary>
internal sealed record GateRequest(string Repository, string Branch, string? Target, string? Task, string? Agent, long? Generation, GateVerification? Verification);

/// <summary>Reads the facts for the gate from the origin into a bare repository of its own: nothing is checked out, so no filter, hook or attribute of the repository has a say.</summary>
internal sealed class GateReader(Git git, GateOptions options)
{
    private const string Head = "refs/gate/head", Target = "refs/gate/target", Fleet = "refs/gate/fleet/";
    private const int LongestLink = 4_096;

    public async Task<GateFacts> ReadAsync(GateRequest request, CancellationToken token)
    {
        var directory = Directory.CreateTempSubdirectory("fleet-gate-").FullName;
        var facts = new GateFacts
        {
            Branch = request.Branch, Target = request.Target, Task = request.Task, Generation = request.Generation, Verification = request.Verification,
            WantedBranch = request.Task is { } task ? request.Agent is { } agent ? RefNames.Branch(agent, task) : $"/{RefNames.Component(task)}" : null,
        };
        try
        {
            return await LookAsync(facts, request, directory, token);
        }
        catch (GitException fault)
        {
            return facts with { Unreadable = fault.Message };
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private async Task<GateFacts> LookAsync(GateFacts facts, GateRequest request, string directory, CancellationToken token)
    {
        await git.RunAsync(directory, token, "init", "--bare", "--quiet", "--template=", ".");
        facts = facts with { Target = facts.Target ?? await DefaultBranchAsync(directory, request.Repository, token) };
        string[] asked = [$"refs/heads/{facts.Branch}", .. facts.Target is null ? Array.Empty<string>() : [$"refs/heads/{facts.Target}"]];
        var there = (await git.RunAsync(directory, token, ["ls-remote", "--", request.Repository, .. asked])).Split('\n').Select(line => line.Split('\t')[^1]).ToHashSet(StringComparer.Ordinal);
        if (facts.Target is null || !there.Contains($"refs/heads/{facts.Target}") || !there.Contains($"refs/heads/{facts.Branch}"))
        {
            return facts with { Head = there.Contains($"refs/heads/{facts.Branch}") ? "unknown" : null };
        }

        List<string> wanted = [$"+refs/heads/{facts.Branch}:{Head}", $"+refs/heads/{facts.Target}:{Target}"];
        wanted.AddRange(request.Task is { } task ? [$"+{RefNames.Attempts(task)}:{Fleet}*"] : []);
        await git.RunAsync(directory, token, ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance", "--", request.Repository, .. wanted]);
        var head = await git.RunAsync(directory, token, "rev-parse", "--verify", $"{Head}^{{commit}}");
        var target = await git.RunAsync(directory, token, "rev-parse", "--verify", $"{Target}^{{commit}}");
        var parting = await git.TryAsync(directory, token, "merge-base", target, head);
        facts = await WithGenerationsAsync(facts with { Head = head, TargetHead = target, MergeBase = parting.Ok ? parting.Output.Trim() : null }, directory, token);
        if (request.Verification?.BaseCommit is { } reported)
        {
            facts = facts with { ReportedBaseHolds = await IsAncestorAsync(directory, reported, target, token) && await IsAncestorAsync(directory, reported, head, token) };
        }

        return facts.MergeBase is { } from ? await WithChangeAsync(facts, directory, from, head, token) : facts;
    }

    private async Task<string?> DefaultBranchAsync(string directory, string repository, CancellationToken token)
    {
        const string Start = "ref: refs/heads/";
        var line = (await git.RunAsync(directory, token, "ls-remote", "--symref", "--", repository, "HEAD")).Split('\n')[0].Split('\t')[0];
        return line.StartsWith(Start, StringComparison.Ordinal) && RepositoryAddress.BranchComplaint(line[Start.Length..]) is null ? line[Start.Length..] : null;
    }

    private async Task<GateFacts> WithGenerationsAsync(GateFacts facts, string directory, CancellationToken token)
    {
        var refs = (await git.RunAsync(directory, token, "for-each-ref", "--format=%(objectname) %(refname)", Fleet)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', 2)).Select(parts => (Commit: parts[0], Name: parts[1][Fleet.Length..]))
            .Where(one => long.TryParse(one.Name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            .Select(one => (Generation: long.Parse(one.Name, CultureInfo.InvariantCulture), one.Commit)).OrderBy(one => one.Generation).ToList();
        var earlier = refs.LastOrDefault(one => one.Generation < facts.Generation);
        return facts with
        {
            HighestGeneration = refs.Count > 0 ? refs[^1].Generation : null,
            GenerationCommit = refs.Find(one => one.Generation == facts.Generation).Commit,
            KeepsEarlierWork = earlier.Commit is null ? null : await IsAncestorAsync(directory, earlier.Commit, facts.Head!, token),
        };
    }

    private async Task<GateFacts> WithChangeAsync(GateFacts facts, string directory, string from, string head, CancellationToken token)
    {
        var (changes, complete) = await DiffFacts.FilesAsync(Ask, from, head);
        var (insertions, deletions) = await DiffFacts.LinesAsync(Ask, from, head);
        var files = new List<GateFile>();
        foreach (var change in changes)
        {
            // Past the limit the change is for review whatever the rest is like; links are few and each is looked at.
            var measured = files.Count < options.MaxFiles && change.NewMode is not ("000000" or "160000");
            files.Add(new GateFile(change, measured ? await SizeAsync(directory, change.NewObject, token) : null, change.NewMode == "120000" ? await LinkAsync(directory, change.NewObject, token) : null));
        }

        return facts with { Files = complete ? files : null, Insertions = insertions, Deletions = deletions };

        Task<ToolOutcome> Ask(string[] arguments) => git.TryAsync(directory, token, arguments);
    }

    private async Task<long?> SizeAsync(string directory, string blob, CancellationToken token) =>
        await git.TryAsync(directory, token, "cat-file", "-s", blob) is { Ok: true } answer && long.TryParse(answer.Output, NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var size) ? size : null;

    // Not trimmed: a blank at the end belongs to the name.
    private async Task<string?> LinkAsync(string directory, string blob, CancellationToken token) =>
        await SizeAsync(directory, blob, token) <= LongestLink && await git.TryAsync(directory, token, "cat-file", "blob", blob) is { Ok: true } answer ? answer.Output : null;

    private async Task<bool> IsAncestorAsync(string directory, string commit, string of, CancellationToken token) =>
        (await git.TryAsync(directory, token, "merge-base", "--is-ancestor", "--end-of-options", commit, of)).ExitCode == 0;
}
