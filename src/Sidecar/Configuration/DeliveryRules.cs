using FleetSidecar.Forge;
using FleetSidecar.Gate;
using FleetSidecar.Protocol;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Configuration;

/// <summary>The rules for how work is checked and delivered: verification and forge.</summary>
internal static class DeliveryRules
{
    private const int LongestWord = 4_096, LongestPattern = 256;

    public static IEnumerable<ConfigProblem> Problems(SidecarConfig config) => VerificationProblems(config.Workspace)
        .Concat(config.Workspace.Forge is { } forge ? ForgeProblems(forge) : [])
        .Concat(GateProblems(config.Gate));

    private static IEnumerable<ConfigProblem> VerificationProblems(WorkspaceOptions workspace)
    {
        if (workspace.TestCommand.Any(word => word is null || word.Length > LongestWord || word.Contains('\0', StringComparison.Ordinal)) || workspace.TestCommand is ["", ..])
        {
            yield return new("workspace.testCommand", "holds null, NUL or a word that is too long, or begins with an empty word", "write it as argv, for example [\"npm\", \"test\"]");
        }

        if (workspace.VerifyCommands.Any(pattern => string.IsNullOrEmpty(pattern)))
        {
            yield return new("workspace.verifyCommands", "holds an empty pattern", "name programs, for example [\"npm\", \"dotnet\"]; [] forbids all");
        }

        if (workspace.VerifyTimeout < TimeSpan.FromSeconds(1) || workspace.VerifyTimeout > TimeSpan.FromDays(7))
        {
            yield return new("workspace.verifyTimeout", "must be between 1 second and 7 days", "write it as \"hh:mm:ss\"");
        }
    }

    private static IEnumerable<ConfigProblem> GateProblems(GateOptions gate)
    {
        foreach (var (key, patterns) in new[] { ("allowedPaths", gate.AllowedPaths), ("forbiddenPaths", gate.ForbiddenPaths), ("sensitivePaths", gate.SensitivePaths), ("executablePaths", gate.ExecutablePaths) })
        {
            if (patterns.Any(pattern => string.IsNullOrEmpty(pattern) || pattern.Length > LongestPattern || pattern.StartsWith('/') || pattern.EndsWith('/')))
            {
                yield return new($"gate.{key}", $"holds a pattern that is empty, longer than {LongestPattern} characters, or begins or ends with '/'", "for example \"src/**\" or \"*.md\"");
            }
        }

        foreach (var (key, value, most) in new (string, long, long)[] { ("maxFiles", gate.MaxFiles, 10_000), ("maxLines", gate.MaxLines, 10_000_000), ("maxDeletedFiles", gate.MaxDeletedFiles, 10_000), ("maxFileBytes", gate.MaxFileBytes, 1L << 30), ("maxBytes", gate.MaxBytes, 1L << 30) })
        {
            if (value < 0 || value > most)
            {
                yield return new($"gate.{key}", $"must be 0 to {most}", "leave it out");
            }
        }
    }

    private static IEnumerable<ConfigProblem> ForgeProblems(ForgeOptions forge)
    {
        if (forge.Kind is not (ForgeKind.GitHub or ForgeKind.Gitea))
        {
            yield return new("workspace.forge.kind", $"must be {ForgeKind.GitHub} or {ForgeKind.Gitea}", "leave it out");
        }

        if (!Uri.TryCreate(forge.Api, UriKind.Absolute, out var api) || api.Scheme is not ("https" or "http") || api.UserInfo.Length > 0 || api.Query.Length > 0 || api.Fragment.Length > 0)
        {
            yield return new("workspace.forge.api", "must be an https:// address without a user name or a query", "for example https://api.github.com");
        }
        else if (api.Scheme == "http" && !api.IsLoopback)
        {
            yield return new("workspace.forge.api", "would send the token unencrypted", "use https://; http:// is for this machine alone");
        }

        if (!Path.IsPathFullyQualified(forge.TokenFile))
        {
            yield return new("workspace.forge.tokenFile", "must be the absolute path of a file", "write the token alone into a file that only the service user can read, and name it here");
        }

        if (forge.Repository is { } repository && ForgeRepository.Parse(repository) is null)
        {
            yield return new("workspace.forge.repository", "must be OWNER/NAME", "leave it out where the address of the repository says it");
        }

        if (forge.Base is { } branch && RepositoryAddress.BranchComplaint(branch) is { } complaint)
        {
            yield return new("workspace.forge.base", complaint, "for example main");
        }

        if (forge.GiveUpAfter < TimeSpan.FromSeconds(1) || forge.GiveUpAfter > TimeSpan.FromHours(1))
        {
            yield return new("workspace.forge.giveUpAfter", "must be between 1 second and 1 hour", "write it as \"hh:mm:ss\"");
        }
    }
}
