using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Workspaces;

namespace FleetSidecar.SelfTest;

/// <summary>Git is there, and every repository that the configuration names in full can be reached.</summary>
internal sealed class GitCheck(SidecarConfig config, Git git) : ICheck
{
    private const int MostAsked = 5;

    public string Name => "git";

    public async Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token)
    {
        try
        {
            var words = await git.RunAsync("/", token, "--version");
            var version = UserGitFiles.FirstTrap(Environment.GetEnvironmentVariable("HOME")) is { } trap
                ? new CheckResult(Name, CheckResult.Warning, $"{words}; {trap} is nothing that git could read, and git is kept from it", "remove it, or put your file there again")
                : new CheckResult(Name, CheckResult.Ok, words);
            var named = config.Workspace.AllowedRepositories.Where(pattern => pattern.AsSpan().IndexOfAny('*', '?') < 0).ToList();
            var origins = await Task.WhenAll(named.Take(MostAsked).Select(address => AskAsync(address, token)));

            // One origin that is down is no reason to send no work at all, as long as there may be another.
            var others = named.Count < config.Workspace.AllowedRepositories.Count || origins.Any(origin => origin.Status == CheckResult.Ok);
            return [version, .. origins.Select(origin => others && origin.Status == CheckResult.Failed ? origin with { Status = CheckResult.Warning } : origin)];
        }
        catch (SidecarException fault)
        {
            return [new CheckResult(Name, CheckResult.Failed, fault.Message, fault.Hint)];
        }
    }

    private async Task<CheckResult> AskAsync(string address, CancellationToken token)
    {
        try
        {
            if (RepositoryRules.Refuse(address, config) is { } refusal)
            {
                throw refusal;
            }

            await git.RunAsync("/", token, "ls-remote", "--quiet", "--", address, "HEAD");
            return new CheckResult("origin", CheckResult.Ok, $"{address} answers");
        }
        catch (SidecarException fault)
        {
            return new CheckResult("origin", CheckResult.Failed, $"{address}: {fault.Message}", fault.Hint);
        }
    }
}
