using FleetSidecar.Identity;
using FleetSidecar.Protocol;

namespace FleetSidecar.Configuration;

/// <summary>The rules of section <c>identity</c>. Without a tree nothing of it is looked at but its form.</summary>
internal static class IdentityProblems
{
    private const int ShortestMark = 3, LongestMark = 200;

    public static IEnumerable<ConfigProblem> In(SidecarConfig config)
    {
        var identity = config.Identity;
        if (identity.Tree.Length == 0)
        {
            return identity.Files.Count == 0 && identity.Interval == TimeSpan.Zero ? []
                : [new("identity.tree", "is missing", "name the directory with the fleet's code, or leave the whole section out")];
        }

        return Tree(config).Concat(Upstream(identity)).Concat(Files(identity)).Concat(Contacts(identity));
    }

    private static IEnumerable<ConfigProblem> Tree(SidecarConfig config)
    {
        var identity = config.Identity;
        if (!IsPlain(identity.Tree) || identity.Tree.TrimEnd('/').Length == 0)
        {
            yield return new("identity.tree", "must be an absolute path below the root", "for example /srv/fleet/code");
        }

        if (IsBelow(config.StateDirectory, identity.Tree) || IsBelow(identity.Tree, config.StateDirectory))
        {
            yield return new("identity.tree", "and stateDirectory must not lie in one another", "what guards the identity is kept outside the tree");
        }

        if (identity.Method is not (null or SyncMethod.Swap or SyncMethod.InPlace))
        {
            yield return new("identity.method", $"must be {SyncMethod.Swap} or {SyncMethod.InPlace}", "leave it out: it is chosen by what the tree is");
        }

        if (identity.Trees is { } trees && (!IsPlain(trees) || IsBelow(trees, identity.Tree)))
        {
            yield return new("identity.trees", "must be an absolute path outside the tree", "leave it out");
        }

        if (identity.OnCollision is not (CollisionPolicy.Keep or CollisionPolicy.Refuse))
        {
            yield return new("identity.onCollision", $"must be {CollisionPolicy.Keep} or {CollisionPolicy.Refuse}", "leave it out");
        }

        if (identity.Interval != TimeSpan.Zero && (identity.Interval < TimeSpan.FromMinutes(1) || identity.Interval > TimeSpan.FromDays(7)))
        {
            yield return new("identity.interval", "must be 0 or between 1 min and 7 days", "write it as \"hh:mm:ss\"");
        }

        if (identity.Restart.Any(command => command is null || command.Count == 0 || command.Any(part => string.IsNullOrEmpty(part) || part.Contains('\0', StringComparison.Ordinal))))
        {
            yield return new("identity.restart", "holds an empty command", "write each as a list: [\"systemctl\", \"restart\", \"openclaw\"]");
        }
    }

    private static IEnumerable<ConfigProblem> Upstream(IdentityOptions identity)
    {
        var upstream = identity.Upstream;
        if (upstream.Url.Length == 0 && identity.Interval > TimeSpan.Zero)
        {
            yield return new("identity.upstream.url", "is missing", "name the repository that the tree's code comes from, or set the interval to 0");
        }

        if (upstream.Url.Length > 0 && RepositoryAddress.Complaint(upstream.Url) is { } complaint)
        {
            yield return new("identity.upstream.url", complaint, "use an https://, ssh:// or file:// address or an absolute path");
        }

        if (HoldsPassword(upstream.Url))
        {
            yield return new("identity.upstream.url", "must not hold a password or token", "take it out of the address and put it into workspace.credentials");
        }

        if (RepositoryAddress.BranchComplaint(upstream.Branch) is { } wrong)
        {
            yield return new("identity.upstream.branch", wrong, "for example main");
        }

        if (upstream.Commit is { } commit && !CommitIds.IsFull(commit))
        {
            yield return new("identity.upstream.commit", "must be a full commit id", "40 hexadecimal digits, as 'git rev-parse' prints them");
        }
    }

    private static IEnumerable<ConfigProblem> Files(IdentityOptions identity)
    {
        if (identity.Files.Count == 0)
        {
            yield return new("identity.files", "is empty", "name at least one file, for example { \"path\": \"SOUL.md\", \"rule\": \"sealed\", \"mark\": \"I am Iris\" }");
        }

        for (var index = 0; index < identity.Files.Count; index++)
        {
            var (file, key) = (identity.Files[index], $"identity.files[{index}]");
            if (file is null)
            {
                yield return new(key, "is null", "write it as { \"path\": …, \"rule\": …, \"mark\": … }");
                continue;
            }

            if (IdentityPattern.Complaint(file.Path) is { } complaint)
            {
                yield return new($"{key}.path", complaint, "for example SOUL.md or memory/*.md");
            }

            if (identity.Files.Take(index).Any(other => other?.Path == file.Path))
            {
                yield return new($"{key}.path", $"'{Printable.Cut(file.Path, 40)}' stands there twice", "keep one of the two");
            }

            if (file.Rule is not (IdentityRule.Sealed or IdentityRule.Mark or IdentityRule.Sqlite))
            {
                yield return new($"{key}.rule", $"must be {IdentityRule.Sealed}, {IdentityRule.Mark} or {IdentityRule.Sqlite}", "sealed for what never changes, mark for what does");
            }

            if (file.Mark is null ? file.Rule != IdentityRule.Sqlite : file.Mark.Length is < ShortestMark or > LongestMark || string.IsNullOrWhiteSpace(file.Mark))
            {
                yield return new($"{key}.mark", file.Mark is null ? "is missing" : $"must be {ShortestMark} to {LongestMark} characters", "words that stand in this agent's file and in no other agent's, for example \"I am Iris\"");
            }

            if (file.Rule == IdentityRule.Sqlite ? !IsName(file.Table) : file.Table is not null)
            {
                yield return new($"{key}.table", "belongs to rule sqlite, and must be letters, digits and '_' there", "for example contacts");
            }

            if (file.MinimumRows is < 0 or > 1_000_000_000)
            {
                yield return new($"{key}.minimumRows", "must not be negative", "leave it out");
            }
        }
    }

    private static IEnumerable<ConfigProblem> Contacts(IdentityOptions identity)
    {
        if (identity.Contacts is not { } contacts)
        {
            yield break;
        }

        if (identity.Files.FirstOrDefault(file => file?.Path == contacts.Path) is not { Rule: IdentityRule.Sqlite })
        {
            yield return new("identity.contacts.path", "must be one of identity.files with rule sqlite", "add { \"path\": \"contacts.db\", \"rule\": \"sqlite\", \"table\": \"contacts\" } there");
        }

        if (!IsName(contacts.Table) || !IsName(contacts.Key))
        {
            yield return new("identity.contacts.table", "and key must be letters, digits and '_'", "for example contacts and name");
        }

        if (contacts.From is { } from && (IdentityPattern.Complaint(from) is not null || IdentityPattern.IsPattern(from)))
        {
            yield return new("identity.contacts.from", "must be a plain path inside the upstream's tree", "leave it out where it is the same as ours");
        }
    }

    // Whoever may see the configuration, a process list or a log would see it too. Of ssh a user's name is no secret.
    private static bool HoldsPassword(string url) => url.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme
        && url[(scheme + 3)..].Split('/', '?', '#')[0] is var authority && authority.Contains('@', StringComparison.Ordinal)
        && (url.StartsWith("http", StringComparison.OrdinalIgnoreCase) || authority[..authority.LastIndexOf('@')].Contains(':', StringComparison.Ordinal));

    private static bool IsPlain(string path) => Path.IsPathFullyQualified(path) && !path.Any(char.IsControl) && Path.GetFullPath(path).TrimEnd('/') == path.TrimEnd('/');

    private static bool IsBelow(string path, string root) => (path.TrimEnd('/') + "/").StartsWith(root.TrimEnd('/') + "/", StringComparison.Ordinal);

    private static bool IsName(string? text) => text is { Length: > 0 and <= 64 } && !char.IsAsciiDigit(text[0]) && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_');
}
