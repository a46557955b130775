using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>A git command that did not do what was asked. The message begins with the code.</summary>
internal sealed class GitException(string code, string message, string hint) : SidecarException($"{code}: {message}", hint)
{
    /// <summary>One of the codes of <see cref="GitFaults"/>.</summary>
    public string Code => code;

    /// <summary>Time alone may mend it: the same command is worth another try.</summary>
    public bool IsPassing => code is GitFaults.HostNotFound or GitFaults.Unreachable or GitFaults.TimedOut or GitFaults.StaleBase;
}

/// <summary>What kind of fault git's words and exit code are, and what to do about it. Pure.</summary>
internal static class GitFaults
{
    public const string GitMissing = "git_missing";
    public const string WorkspaceGone = "workspace_gone";
    public const string BadAddress = "bad_address";
    public const string Forbidden = "repository_forbidden";
    public const string NotFound = "repository_not_found";
    public const string AuthFailed = "auth_failed";
    public const string HostNotFound = "host_not_found";
    public const string Unreachable = "origin_unreachable";
    public const string TimedOut = "git_timeout";
    public const string DiskFull = "disk_full";
    public const string Damaged = "repository_damaged";
    public const string EmptyRepository = "empty_repository";
    public const string NoBranch = "branch_not_found";
    public const string StaleBase = "stale_base";
    public const string StaleGeneration = "stale_generation";
    public const string BranchMoved = "branch_moved";
    public const string PushRefused = "push_refused";
    public const string Unsupported = "repository_unsupported";
    public const string Other = "git_failed";

    private static readonly string[] Telling = ["fatal:", "error:", "remote:", "! ["];

    // First match wins: what names the cause stands before what merely follows from it.
    private static readonly (string Words, string Code)[] Signs =
    [
        ("No space left on device", DiskFull),
        ("Disk quota exceeded", DiskFull),
        ("Could not resolve host", HostNotFound),
        ("Name or service not known", HostNotFound),
        ("Temporary failure in name resolution", HostNotFound),
        ("Authentication failed", AuthFailed),
        ("could not read Username", AuthFailed),
        ("could not read Password", AuthFailed),
        ("Permission denied (", AuthFailed),
        ("Host key verification failed", AuthFailed),
        ("The requested URL returned error: 401", AuthFailed),
        ("The requested URL returned error: 403", AuthFailed),
        ("does not appear to be a git repository", NotFound),
        ("The requested URL returned error: 404", NotFound),
        ("Repository not found", NotFound),
        ("repository '", NotFound),
        ("does not exist", NotFound),
        ("not allowed", BadAddress),
        ("Unable to find remote helper", BadAddress),
        ("stale info", BranchMoved),
        ("[rejected]", BranchMoved),
        ("[remote rejected]", PushRefused),
        ("Failed to connect", Unreachable),
        ("Connection refused", Unreachable),
        ("Connection reset", Unreachable),
        ("Connection timed out", Unreachable),
        ("Connection closed", Unreachable),
        ("Network is unreachable", Unreachable),
        ("No route to host", Unreachable),
        ("the remote end hung up", Unreachable),
        ("unexpected disconnect", Unreachable),
        ("early EOF", Unreachable),
        ("The requested URL returned error: 5", Unreachable),
        ("The requested URL returned error: 429", Unreachable),
        ("unable to access", Unreachable),
        ("unable to connect", Unreachable),
        ("object file", Damaged),
        ("loose object", Damaged),
        ("bad object", Damaged),
        ("missing blob", Damaged),
        ("missing tree", Damaged),
        ("missing commit", Damaged),
        ("not a git repository", Damaged),
        ("index file corrupt", Damaged),
    ];

    /// <summary>The fault that a failed command amounts to.</summary>
    public static GitException Explain(string[] arguments, ToolOutcome outcome)
    {
        var code = Classify(outcome);
        return new GitException(code, $"git {Verb(arguments)}: {Line(outcome)}", HintFor(code));
    }

    public static string Classify(ToolOutcome outcome) => outcome.TimedOut ? TimedOut
        : Signs.FirstOrDefault(sign => outcome.Error.Contains(sign.Words, StringComparison.Ordinal)).Code ?? Other;

    private static string? Verb(string[] arguments) =>
        arguments.Where((word, at) => !word.StartsWith('-') && (at == 0 || arguments[at - 1] != "-c")).FirstOrDefault();

    // What the other side says of a refused push stands in lines of their own; the last line alone says nothing.
    private static string Line(ToolOutcome outcome)
    {
        var said = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var telling = said.Where(text => Telling.Any(start => text.StartsWith(start, StringComparison.Ordinal))).Distinct().Take(4).ToList();
        return telling.Count > 0 ? string.Join(" | ", telling) : said.LastOrDefault() ?? $"exit code {outcome.ExitCode}";
    }

    private static string HintFor(string code) => code switch
    {
        DiskFull => "free space on the state directory's disk; 'fleet-sidecar doctor' shows how much is left",
        HostNotFound => "check the address of the repository and this machine's name resolution",
        AuthFailed => "give the service user a credential for that host (workspace.credentials), and see that it is still valid",
        NotFound => "check the address of the repository, and that the service user may see it",
        BadAddress => "use an https://, ssh:// or file:// address",
        BranchMoved => "somebody else moved the branch; nothing was overwritten, the work is kept",
        PushRefused => "look at the rules of the origin for this branch (protection, server-side hooks)",
        Unreachable => "look at the network between this machine and the origin",
        TimedOut => "raise workspace.gitTimeout or look at the network",
        Damaged => "the next run makes the copy anew; if it comes again, check the disk",
        _ => "try the same address with git by hand, as the service user",
    };
}
