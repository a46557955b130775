using System.Globalization;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Forge;

/// <summary>Sees to it that there is one pull request for work that is on the origin: looks for it by its branch first, opens it where there is none.</summary>
/// <remarks>
/// Nothing is remembered between two tries: after a crash, a lost answer or another attempt of the task the branch finds it
/// again. The work is pushed and proved before, so a forge that is down or says no never costs it: the run completes without a
/// pull request and a check of its report says why. May get wrong: a forge that neither filters by head nor shows the one
/// among its newest 250 gets a second question, which it then has to refuse itself.
/// </remarks>
internal sealed partial class PullRequests(SidecarConfig config, Redactor redactor, TimeProvider time, ILogger<PullRequests> log) : IDisposable
{
    public const string CheckType = "pull_request";
    private const int MostPages = 5, PageSize = 50;
    private const double ShareOfDeadline = 0.8;
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(20), ShortestAnswer = TimeSpan.FromSeconds(1);

    private readonly Lazy<ForgeClient> _client = new(() => new ForgeClient(config.Workspace.Forge!, redactor, time));

    public async Task<RunFacts> EnsureAsync(Run run, RunFacts facts, CancellationToken token)
    {
        if (config.Workspace.Forge is not { } options || facts is not { Commit: not null, Branch: { } branch } || run.Assignment.Repo is not { } address || facts.PullRequest is not null)
        {
            return facts;
        }

        var api = new Uri(options.Api);
        if ((options.Repository is { } named ? ForgeRepository.Parse(named) : ForgeRepository.From(address, api)) is not { } repository)
        {
            return Without(run, facts, ForgeFaults.Elsewhere(api.Host));
        }

        var (started, budget) = (time.GetTimestamp(), Budget(run, options));
        for (var attempt = 0; ; attempt++)
        {
            switch (await OnceAsync(new Scene(run, facts, options, repository, branch, () => Limit(budget - time.GetElapsedTime(started))), token))
            {
                case Found { Request: var request }:
                    LogReady(run.Id, run.TaskId, request.State, request.Url);
                    return facts with { PullRequest = request };
                case NotFound { Why: ForgeReply.NotNow why }:
                    if (PullRequestRules.Pause(attempt, why.After, budget - time.GetElapsedTime(started)) is not { } pause)
                    {
                        return Without(run, facts, new ForgeReply.Refused(ForgeFaults.Unreachable, why.Reason, "look at the forge and the network; open the pull request by hand"));
                    }

                    LogWaiting(run.Id, run.TaskId, why.Reason, pause);
                    await Task.Delay(pause, time, token);
                    break;
                case NotFound { Why: ForgeReply.Refused why }:
                    return Without(run, facts, why);
                case var other:
                    throw new InvalidOperationException($"No way on from {other}.");
            }
        }
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
        {
            _client.Value.Dispose();
        }
    }

    // The deadline of the whole step fails the run; what is on the origin already must not come to that.
    private TimeSpan Budget(Run run, ForgeOptions options)
    {
        var gone = TimeSpan.FromMilliseconds(Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds() - run.StateSinceUnixMs));
        var left = (config.Deadlines.Submit - gone) * ShareOfDeadline;
        return left < options.GiveUpAfter ? left : options.GiveUpAfter;
    }

    // Each question gets its own limit, because one attempt may ask a dozen.
    private static TimeSpan Limit(TimeSpan left) => left < ShortestAnswer ? ShortestAnswer : left < LongestAnswer ? left : LongestAnswer;

    private async Task<Outcome> OnceAsync(Scene scene, CancellationToken token)
    {
        if (await LookAsync(scene, token) is var looked && looked is not NotFound { Why: null })
        {
            return looked;
        }

        var (target, complaint) = await BaseAsync(scene, token);
        if (complaint is not null)
        {
            return new NotFound(complaint);
        }

        var text = redactor.Clean(PullRequestText.Body(scene.Run, scene.Facts, config.Agent.Id));
        var body = PullRequestText.Json(redactor.Clean(PullRequestText.Title(scene.Run)), text, scene.Branch, target!, scene.Options);
        switch (await _client.Value.AskAsync(HttpMethod.Post, $"repos/{scene.Repository.Owner}/{scene.Repository.Name}/pulls", body, scene.Limit(), token))
        {
            case ForgeReply.Answered { Body: var answer }:
                CrashPoints.At(CrashPointName.PullRequestOpened);
                return PullRequestRules.Read(answer) is { } opened ? new Found(opened) : new NotFound(ForgeFaults.BadAnswer("it does not say where the pull request is"));
            case ForgeReply.Conflict conflict: // "Already exists" is one of several reasons; the list knows.
                return await LookAsync(scene, token) is var again && again is not NotFound { Why: null } ? again : new NotFound(ForgeFaults.Rejected(conflict.Said));
            case var other:
                return new NotFound(other);
        }
    }

    private async Task<Outcome> LookAsync(Scene scene, CancellationToken token)
    {
        var (found, repository) = (new List<PullRequest>(), scene.Repository);
        for (var page = 1; page <= MostPages; page++)
        {
            var head = Uri.EscapeDataString($"{repository.Owner}:{scene.Branch}");
            var path = string.Create(CultureInfo.InvariantCulture, $"repos/{repository.Owner}/{repository.Name}/pulls?state=all&head={head}&per_page={PageSize}&limit={PageSize}&page={page}");
            var reply = await _client.Value.AskAsync(HttpMethod.Get, path, null, scene.Limit(), token);
            if (reply is not ForgeReply.Answered { Body: { ValueKind: JsonValueKind.Array } list })
            {
                return new NotFound(reply switch
                {
                    ForgeReply.Answered => ForgeFaults.BadAnswer("it is no list"),
                    ForgeReply.Conflict conflict => ForgeFaults.Rejected(conflict.Said),
                    _ => reply,
                });
            }

            found.AddRange(PullRequestRules.OfBranch(list, repository, scene.Branch));
            if (found.Exists(one => one.State == "open") || list.GetArrayLength() < PageSize)
            {
                break;
            }
        }

        return PullRequestRules.Choose(found) is { } chosen ? new Found(chosen) : new NotFound(null);
    }

    private async Task<(string? Branch, ForgeReply? Complaint)> BaseAsync(Scene scene, CancellationToken token)
    {
        if ((scene.Options.Base ?? scene.Run.Assignment.Branch) is { Length: > 0 } named)
        {
            return (named, null);
        }

        return await _client.Value.AskAsync(HttpMethod.Get, $"repos/{scene.Repository.Owner}/{scene.Repository.Name}", null, scene.Limit(), token) switch
        {
            ForgeReply.Answered { Body: var body } when PullRequestRules.Text(body, "default_branch") is { } branch && RepositoryAddress.BranchComplaint(branch) is null => (branch, null),
            ForgeReply.Answered => (null, ForgeFaults.BadAnswer("it names no default branch")),
            ForgeReply.Conflict conflict => (null, ForgeFaults.Rejected(conflict.Said)),
            var other => (null, other),
        };
    }

    private RunFacts Without(Run run, RunFacts facts, ForgeReply.Refused why)
    {
        LogFailed(run.Id, run.TaskId, why.Code, why.Reason, why.Hint);
        var check = new VerificationCheck { Type = CheckType, Target = facts.Branch, Status = "skipped", Detail = $"{why.Code}: {why.Reason}; the work is on the origin" };
        return facts with { Verification = facts.Verification is { } report ? report with { Checks = [.. report.Checks, check] } : null };
    }

    [LoggerMessage(EventIds.PullRequestReady, LogLevel.Information, "{Run} has a pull request for {Task}, {State}: {Url}", EventName = "PullRequestReady")]
    private partial void LogReady(string run, string task, string state, string url);

    [LoggerMessage(EventIds.PullRequestFailed, LogLevel.Warning, "{Run} completes {Task} without a pull request: {Code}: {Reason}; {Hint}", EventName = "PullRequestFailed")]
    private partial void LogFailed(string run, string task, string code, string reason, string hint);

    [LoggerMessage(EventIds.ForgeWaiting, LogLevel.Warning, "{Run} {Task} has no pull request yet: {Reason}, trying again in {Delay}", EventName = "ForgeWaiting")]
    private partial void LogWaiting(string run, string task, string reason, TimeSpan delay);

    private sealed record Scene(Run Run, RunFacts Facts, ForgeOptions Options, ForgeRepository Repository, string Branch, Func<TimeSpan> Limit);

    private abstract record Outcome;

    private sealed record Found(PullRequest Request) : Outcome;

    /// <summary>There is none; with a reason it is not known whether there is.</summary>
    private sealed record NotFound(ForgeReply? Why) : Outcome;
}
