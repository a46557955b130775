using static FleetSidecar.Workspaces.GitFaults;

namespace FleetSidecar.Workspaces;

/// <summary>The words of git, curl, OpenSSH and the forges, in the order in which they decide. Pure.</summary>
/// <remarks>
/// First match wins. What the origin says of its refusal stands before what its end of the connection looks like from
/// here ("hung up", "early EOF", "unable to access"): a refusal that ends the connection is permanent, and is not tried
/// again. Among the refusals, the one that names its cause stands before "hook declined", which every cause ends with.
/// </remarks>
internal static class GitSigns
{
    private const GitSide Theirs = GitSide.Theirs, Ours = GitSide.Ours;

    // The origin itself is broken or full.
    private static readonly GitSign[] Broken =
    [
        new("possible repository corruption on the remote side", OriginDamaged),
        new("from promisor remote", OriginDamaged, Theirs),
        new("is corrupt", OriginDamaged, Theirs),
        new("No space left on device", OriginFull, Theirs),
        new("quota exceeded", OriginFull, Theirs),
        new("storage limit", OriginFull, Theirs), // GitLab, namespaces
        new("allocated storage", OriginFull, Theirs), // GitLab, repositories
        new("over its size limit", OriginFull, Theirs), // Bitbucket
        new("size limit)", OriginFull, Theirs), // Bitbucket: "in read only mode (over 2 GB size limit)"
        new("increase this repository size", OriginFull, Theirs), // Azure DevOps
        new("over its data quota", OriginFull), // GitHub, LFS
        new("exceeded its LFS budget", OriginFull), // GitHub, LFS
    ];

    // What is pushed is refused for what it holds.
    private static readonly GitSign[] Content =
    [
        new("GH008", LfsMissing, Theirs), // GitHub
        new("LFS objects are missing", LfsMissing, Theirs), // GitLab
        new("unknown Git LFS object", LfsMissing),
        new("GH001", PushTooLarge, Theirs), // GitHub
        new("larger than the allowed size", PushTooLarge, Theirs), // GitLab
        new("larger than the maximum allowed size", PushTooLarge, Theirs), // GitLab, old
        new("exceeds maximum allowed size", PushTooLarge, Theirs), // git: receive.maxInputSize
        new("exceeding the size limit", PushTooLarge, Theirs),
        new("exceeding the file size limit", PushTooLarge, Theirs),
        new("because its size is greater than", PushTooLarge, Theirs), // Azure DevOps
        new("returned error: 413", PushTooLarge), // a proxy before the forge
        new("HTTP 413", PushTooLarge),
        new("Push cannot contain secrets", SecretFound, Theirs), // GitHub
        new("PUSH PROTECTION", SecretFound, Theirs), // GitHub
        new("Secrets detected", SecretFound, Theirs), // GitLab
        new("contains one or more secrets", SecretFound, Theirs), // Azure DevOps
    ];

    // The name, the repository or the account is refused.
    private static readonly GitSign[] Refusals =
    [
        new("exists; cannot create", NameTaken, Theirs), // git
        new("blocking reference", NameTaken, Theirs), // git
        new("directory/file conflict", NameTaken, Theirs),
        new("support --signed push", SignedPush),
        new("rate limit", RateLimited, Theirs), // GitHub, Bitbucket
        new("Too many requests", RateLimited, Theirs),
        new("Retry later", RateLimited, Theirs), // GitLab
        new("requested too many times", RateLimited, Theirs), // GitLab
        new("exceeding usage of resource", RateLimited, Theirs), // Azure DevOps
        new("returned error: 429", RateLimited),
        new("HTTP 429", RateLimited),
        new("archived so it is read-only", ReadOnly, Theirs), // GitHub
        new("archived project", ReadOnly, Theirs), // GitLab
        new("is archived", ReadOnly, Theirs), // Gitea
        new("read-only GitLab instance", ReadOnly, Theirs),
        new("in read only mode", ReadOnly, Theirs), // Bitbucket
        new("in read-only mode", ReadOnly, Theirs), // Bitbucket
        new("is disabled", ReadOnly, Theirs), // GitHub, Azure DevOps
        new("has been disabled", ReadOnly, Theirs), // GitHub
        new("could not be found or you don't have permission", NotFound), // GitLab
        new("does not exist or you do not have permission", NotFound), // Azure DevOps
        new("does not exist or you do not have access", NotFound), // Bitbucket
        new("Repository not found", NotFound, Theirs), // GitHub, Bitbucket
        new("Cannot find repository", NotFound, Theirs), // Gitea
        new("repository does not exist", NotFound, Theirs), // Bitbucket
        new("Git remote and try again", Moved), // GitLab
        new("update url base from redirection", Moved),
        new("returned error: 301", Moved),
        new("returned error: 302", Moved),
        new("returned error: 308", Moved),
        new("GH006", PushRefused, Theirs), // GitHub, protected branch
        new("GH013", PushRefused, Theirs), // GitHub, rule sets
        new("protected branch", PushRefused, Theirs), // GitLab, Gitea
        new("TF402455", PushRefused, Theirs), // Azure DevOps, branch policy
        new("TF402116", PushRefused, Theirs), // Azure DevOps, work item
        new("denied to update branch", PushRefused, Theirs), // Bitbucket
        new("through pull requests", PushRefused, Theirs), // Bitbucket
        new("does not follow the pattern", PushRefused, Theirs), // GitLab, push rules
        new("Write access to repository not granted", PushDenied), // GitHub
        new("denied to ", PushDenied, Theirs), // GitHub: "Permission to OWNER/NAME.git denied to USER"
        new("marked as read only", PushDenied, Theirs), // GitHub, deploy keys
        new("key is read-only", PushDenied), // Bitbucket, without a mark of its side
        new("not have write access", PushDenied, Theirs), // GitLab, deploy keys
        new("not allowed to push code", PushDenied, Theirs), // GitLab
        new("not allowed to upload code", PushDenied, Theirs), // GitLab
        new("don't have permission", PushDenied, Theirs), // GitLab
        new("not authorized to write", PushDenied, Theirs), // Gitea
        new("permission denied for writing", PushDenied, Theirs), // Gitea
        new("TF401027", PushDenied, Theirs), // Azure DevOps
        new("insufficient permission", PushDenied, Theirs), // git
        new("Permission denied", PushDenied, Theirs), // git, Bitbucket
        new("DENIED by", PushDenied, Theirs), // gitolite
        new("service not enabled", PushDenied), // git daemon --informative-errors
    ];

    // What proves who is speaking with whom.
    private static readonly GitSign[] Trust =
    [
        new("password authentication was removed", AuthFailed), // GitHub
        new("HTTP Basic: Access denied", AuthFailed), // GitLab
        new("Invalid username or", AuthFailed, Theirs), // GitHub, Bitbucket
        new("Authentication failed", AuthFailed),
        new("could not read Username", AuthFailed),
        new("could not read Password", AuthFailed),
        new("Permission denied (", AuthFailed), // OpenSSH
        new("Too many authentication failures", AuthFailed), // OpenSSH
        new("returned error: 401", AuthFailed),
        new("returned error: 403", AuthFailed),
        new("HTTP 401", AuthFailed),
        new("HTTP 403", AuthFailed),
        new("HTTP code = 403", AuthFailed), // git before 2.20
        new("code 407 from proxy", AuthFailed),
        new("Unauthorized", AuthFailed, Theirs), // Gitea
        new("Host key verification failed", HostKey),
        new("HOST IDENTIFICATION HAS CHANGED", HostKey),
        new("SSL certificate problem", Tls),
        new("server certificate verification failed", Tls), // GnuTLS
        new("self-signed certificate", Tls),
        new("self signed certificate", Tls),
        new("certificate has expired", Tls),
        new("certificate subject name", Tls),
        new("does not match target host name", Tls),
        new("error setting certificate", Tls),
        new("unsupported protocol", Tls),
    ];

    // The refs moved, or are being moved.
    private static readonly GitSign[] Moving =
    [
        new("stale info", BranchMoved),
        new("[rejected]", BranchMoved),
        new("Internal Server Error", Unreachable, Theirs), // GitHub, GitLab
        new("Internal API unreachable", Unreachable, Theirs), // GitLab
        new("Internal API error (5", Unreachable, Theirs), // GitLab
        new("Push operation timed out", Unreachable, Theirs), // GitLab
        new("temporarily unavailable", Unreachable, Theirs), // GitLab, maintenance
        new("undergoing maintenance", Unreachable, Theirs),
        new("under maintenance", Unreachable, Theirs),
        new("fatal error in commit_refs", Unreachable, Theirs), // GitHub
        new("Internal error", Unreachable, Theirs), // Gitea
        new("cannot lock ref", RefLocked, Theirs),
        new("failed to lock", RefLocked, Theirs),
        new("[remote rejected]", PushRefused),
        new("unpack failed", PushRefused),
    ];

    private static readonly GitSign[] Transport =
    [
        new("No space left on device", DiskFull, Ours),
        new("Disk quota exceeded", DiskFull, Ours),
        new("Out of diskspace", DiskFull, Ours),
        new("unable to write file", DiskFull, Ours), // A checkout's last words on a full disk, without the reason.
        new("Out of memory", OutOfMemory, Ours),
        new("Cannot allocate memory", OutOfMemory, Ours),
        new("Could not resolve host", HostNotFound),
        new("Name or service not known", HostNotFound),
        new("Temporary failure in name resolution", HostNotFound),
        new("Could not resolve proxy", HostNotFound),
        new("does not appear to be a git repository", NotFound),
        new("access denied or repository not exported", NotFound), // git daemon
        new("returned error: 404", NotFound),
        new("Repository not found", NotFound),
        new("fatal: repository '", NotFound),
        new("does not exist", NotFound, Theirs),
        new("fatal: transport '", BadAddress),
        new("Unable to find remote helper", BadAddress),
        new("Failed to connect", Unreachable),
        new("Connection refused", Unreachable),
        new("Connection reset", Unreachable),
        new("Connection timed out", Unreachable),
        new("Operation timed out", Unreachable),
        new("timed out", Unreachable),
        new("Connection closed", Unreachable),
        new("Network is unreachable", Unreachable),
        new("No route to host", Unreachable),
        new("returned error: 5", Unreachable),
        new("HTTP 5", Unreachable),
        new("returned error: 408", Unreachable),
    ];

    // A copy on this machine, and last what merely follows from any of the above.
    private static readonly GitSign[] Last =
    [
        new("unable to read sha1 file", Damaged, Ours),
        new("unable to read tree", Damaged, Ours),
        new("fatal: unable to read ", Damaged, Ours),
        new("did not send all necessary objects", Damaged, Ours), // What is here was taken for complete.
        new("Failed to traverse parents", Damaged, Ours),
        new("object file", Damaged, Ours),
        new("loose object", Damaged, Ours),
        new("packed object", Damaged, Ours),
        new("packfile", Damaged, Ours),
        new("inflate:", Damaged, Ours),
        new("bad object", Damaged, Ours),
        new("bad tree object", Damaged, Ours),
        new("invalid object", Damaged, Ours),
        new("missing blob", Damaged, Ours),
        new("missing tree", Damaged, Ours),
        new("missing commit", Damaged, Ours),
        new("not a git repository", Damaged, Ours),
        new("index file corrupt", Damaged, Ours),
        new("the remote end hung up", Unreachable),
        new("unexpected disconnect", Unreachable),
        new("early EOF", Unreachable),
        new("expected flush after ", Unreachable), // An answer that ends in its middle.
        new("error reading section header", Unreachable),
        new("error processing acks", Unreachable),
        new("expected ACK/NAK", Unreachable),
        new("Unable to negotiate with", Other), // OpenSSH: no key or cipher that both know
        new("Bad configuration option", Other), // OpenSSH
        new("Bad owner or permissions on", Other), // OpenSSH
        new("command not found", Other), // A machine without git behind ssh
        new("-pack: not found", Other), // The same, said by dash
        new("unrecognized command", Other), // git-shell
        new("src refspec", Other), // Of our own making
        new("account is currently not available", Other), // nologin
        new("returned error: 4", Other), // Any other answer of that kind will be the same tomorrow.
        new("HTTP 4", Other),
        new("RPC failed; curl", Unreachable),
        new("Broken pipe", Unreachable),
        new("unable to access 'http", Unreachable), // Without an address it is a file of this machine.
        new("unable to connect", Unreachable),
        new("repository moved", Moved), // GitHub: a notice, which does not keep a push from its end.
        new("was moved to", Moved), // GitLab, likewise
    ];

    public static IReadOnlyList<GitSign> InOrder { get; } =
        [.. Broken, .. Content, .. Refusals, .. Trust, .. Moving, .. Transport, .. Last];
}
