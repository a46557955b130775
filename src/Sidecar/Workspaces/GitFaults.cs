using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>What kind of fault git's words and exit code are, and what to do about it. Pure.</summary>
internal static class GitFaults
{
    public const string GitMissing = "git_missing";
    public const string WorkspaceGone = "workspace_gone";
    public const string Untrusted = "repository_untrusted";
    public const string BadAddress = "bad_address";
    public const string Forbidden = "repository_forbidden";
    public const string NotFound = "repository_not_found";
    public const string Moved = "repository_moved";
    public const string ReadOnly = "repository_read_only";
    public const string AuthFailed = "auth_failed";
    public const string HostKey = "host_key_failed";
    public const string Tls = "tls_failed";
    public const string HostNotFound = "host_not_found";
    public const string Unreachable = "origin_unreachable";
    public const string RateLimited = "rate_limited";
    public const string TimedOut = "git_timeout";
    public const string DiskFull = "disk_full";
    public const string OutOfMemory = "git_out_of_memory";
    public const string Damaged = "repository_damaged";
    public const string OriginDamaged = "origin_damaged";
    public const string OriginFull = "origin_full";
    public const string EmptyRepository = "empty_repository";
    public const string HeadDetached = "head_detached";
    public const string NoBranch = "branch_not_found";
    public const string NameTaken = "branch_name_taken";
    public const string StaleBase = "stale_base";
    public const string StaleGeneration = "stale_generation";
    public const string BranchMoved = "branch_moved";
    public const string RefLocked = "ref_locked";
    public const string PushDenied = "push_denied";
    public const string PushRefused = "push_refused";
    public const string PushTooLarge = "push_too_large";
    public const string SignedPush = "signed_push_unsupported";
    public const string SecretFound = "secret_found";
    public const string LfsMissing = "lfs_objects_missing";
    public const string Unsupported = "repository_unsupported";
    public const string Interrupted = "git_interrupted";
    public const string Other = "git_failed";

    // A push that was refused names each branch that was; one that was cut off after the origin's last word names none.
    private static readonly string[] NothingHeard = ["Could not read from remote repository", "failed to push some refs to"];
    private const int BrokenPipe = 128 + 13; // SIGPIPE
    private static readonly int[] EndedFromOutside = [128 + 1, 128 + 2, 128 + 9, 128 + 15]; // SIGHUP, SIGINT, SIGKILL, SIGTERM

    private const int MostLines = 4, MostLineChars = 400;

    private static readonly string[] AboutEncoding = ["failed to encode '", "working-tree-encoding", "BOM is required in '", "BOM is prohibited in '", " and back is not the same"];

    private static readonly string[] Telling = ["fatal:", "error:", "remote:", "! [", "ERROR:"];

    /// <summary>The fault that a failed command amounts to. What decided is told first.</summary>
    public static GitException Explain(string[] arguments, ToolOutcome outcome)
    {
        var (code, deciding) = Judge(outcome);
        return new GitException(code, $"git {VerbOf(arguments)}: {Told(outcome, deciding)}", HintFor(code));
    }

    /// <summary>Whether an attribute asks for an encoding that a file does not have, or that nobody knows.</summary>
    /// <param name="error">What git said, or a line of it.</param>
    public static bool IsAboutEncoding(string error) => AboutEncoding.Any(words => error.Contains(words, StringComparison.Ordinal));

    public static string Classify(ToolOutcome outcome) => Judge(outcome).Code;

    /// <summary>What to do about a fault of this code.</summary>
    public static string HintFor(string code) => code switch
    {
        DiskFull => "free space on the state directory's disk; 'fleet-sidecar doctor' shows how much is left",
        OutOfMemory => "git may take half of the machine's memory, at most 4 GiB: take very large files out of the repository, or give the machine more",
        HostNotFound => "check the address of the repository and this machine's name resolution",
        AuthFailed => "give the service user a credential for that host (workspace.credentials), and see that it is still valid",
        HostKey => "add the host's key to the service user's known_hosts, after comparing its fingerprint",
        Tls => "install the certificate authority of that host on this machine, or renew the host's certificate",
        NotFound => "check the address of the repository, and that the service user may see it",
        Moved => "submit the task with the new address of the repository",
        ReadOnly => "the origin takes no pushes: unarchive or enable the repository there",
        BadAddress => "use an https://, ssh:// or file:// address",
        BranchMoved => "somebody else moved the branch; nothing was overwritten, the work is kept",
        NameTaken => "rename the branch on the origin that is in the way, or give the agent another agent.id",
        RefLocked => "another push is under way there; if it stays, remove the lock file at the origin",
        PushDenied => "grant the credential of the service user write access to that repository",
        PushRefused => "look at the rules of the origin for this branch (protection, server-side hooks)",
        PushTooLarge => "take the large files out of the commits, or raise the limit at the origin",
        SignedPush => "set push.gpgSign to if-asked in the service user's git configuration",
        SecretFound => "take the secret out of the commits and revoke it; the workspace is kept",
        LfsMissing => "push the objects with 'git lfs push --all' from the workspace; the sidecar does not push them",
        OriginFull => "free or buy space at the origin",
        OriginDamaged => "run 'git fsck' in the repository at the origin; a partial clone cannot be an origin",
        RateLimited => "the origin limits requests; let fewer agents work on it at once, or raise the limit",
        Unreachable => "look at the network between this machine and the origin",
        Interrupted => "look for what ends processes on this machine, the kernel's out-of-memory killer above all",
        TimedOut => "raise workspace.gitTimeout or look at the network",
        Damaged => "the next run makes the copy anew; if it comes again, check the disk",
        _ => "try the same address with git by hand, as the service user",
    };

    /// <summary>The verb among a command's arguments.</summary>
    public static string VerbOf(string[] arguments) =>
        arguments.Where((word, at) => !word.StartsWith('-') && (at == 0 || arguments[at - 1] != "-c")).FirstOrDefault()
            ?? "";

    private static (string Code, string? Deciding) Judge(ToolOutcome outcome)
    {
        if (outcome.TimedOut)
        {
            return (TimedOut, null);
        }

        var lines = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var isOfHook = lines.Any(line => line.Contains("hook declined", StringComparison.Ordinal));
        foreach (var sign in GitSigns.InOrder)
        {
            if (isOfHook && sign.MayBeQuotedByHook)
            {
                continue;
            }

            if (lines.FirstOrDefault(sign.IsIn) is { } line)
            {
                return (sign.Code, line);
            }
        }

        // The end of a connection, or of git itself, with no word of a refusal: a restart, a limit of connections, somebody who ends processes.
        if (lines.FirstOrDefault(line => NothingHeard.Any(words => line.Contains(words, StringComparison.Ordinal))) is { } silent && !lines.Any(GitSign.IsWordOfTheirs))
        {
            return (Unreachable, silent);
        }

        return (lines.Length > 0 ? Other : outcome.ExitCode == BrokenPipe ? Unreachable : EndedFromOutside.Contains(outcome.ExitCode) ? Interrupted : Other, null);
    }

    private static bool IsTelling(string line) => Telling.Any(start => line.StartsWith(start, StringComparison.Ordinal));

    private static string Told(ToolOutcome outcome, string? deciding)
    {
        var said = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var telling = said.Where(text => text != "remote:" && IsTelling(text));
        var lines = (deciding is null ? telling : telling.Prepend(deciding)).Distinct().Take(MostLines).ToList();
        return lines.Count == 0 ? Printable.Cut(said.LastOrDefault() ?? $"exit code {outcome.ExitCode}", MostLineChars)
            : string.Join(" | ", lines.Select(line => Printable.Cut(line, MostLineChars)));
    }
}
