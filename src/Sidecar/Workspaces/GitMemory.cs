using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Bounds what git takes of the daemon's memory, whatever the size of what agents commit, and what the other side may run where it is a child of ours. Pure.</summary>
/// <remarks>
/// A file above the threshold is neither compared with others nor held whole, but streamed; see git-config(1). A file that
/// grows while git reads it escapes that, so the kernel refuses a git, and each of its children, more than its share.
/// </remarks>
internal static class GitMemory
{
    private const long Kibi = 1024, Least = 512 * Kibi * Kibi, Most = 4 * Kibi * Kibi * Kibi;

    // A constant text but for the number. A limit that is lower already stays.
    private static readonly string[] Parent =
        ["/bin/sh", "-c", $"ulimit -d {LimitFor(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) / Kibi} 2>/dev/null; [ -z \"${{{Git.InputFile}:-}}\" ] || exec <\"${{{Git.InputFile}}}\"; exec \"$@\"", "fleet-git"];

    private static readonly string[] Settings =
    [
        "-c", "core.bigFileThreshold=16m", "-c", "core.deltaBaseCacheLimit=16m", "-c", "pack.windowMemory=32m", "-c", "pack.deltaCacheSize=16m", "-c", "pack.threads=1",
    ];

    /// <summary>Most bytes of memory of its own for one process, on a machine or in a control group with this much: half of it, but enough for any small repository.</summary>
    public static long LimitFor(long available) => Math.Clamp(available / 2, Least, Most);

    /// <summary>The command that runs a program within the limit.</summary>
    public static IEnumerable<string> Limited(string program, IEnumerable<string> arguments) => [.. Parent, program, .. arguments];

    /// <summary>The arguments of a command with the bounds before them.</summary>
    public static IEnumerable<string> Bound(string[] arguments) => [.. Settings, .. arguments[..1], .. OtherSide(arguments), .. arguments[1..]];

    // What the configuration of a repository of this machine could make its side of a fetch or a push run.
    private static readonly string[] RunsNothing =
    [
        "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.alternateRefsCommand=:", "-c", "receive.denyCurrentBranch=refuse", "-c", "receive.autogc=false",
        "-c", "gpg.program=/bin/false", "-c", "gpg.openpgp.program=/bin/false", "-c", "gpg.x509.program=/bin/false", "-c", "gpg.ssh.program=/bin/false",
    ];

    // With a repository of this machine the other side is a child too, and git takes settings of its caller out of that one's environment.
    private static string[] OtherSide(string[] arguments)
    {
        var (option, program) = arguments[0] == "push" ? ("--receive-pack", "receive-pack") : ("--upload-pack", "upload-pack");
        return arguments[0] is "push" or "fetch" or "clone" or "ls-remote" && Array.IndexOf(arguments, "--") is > 0 and var at && at + 1 < arguments.Length && RepositoryAddress.LocalPath(arguments[at + 1]) is not null
            ? [$"{option}=git {string.Join(' ', [.. Settings, .. RunsNothing])} {program}"] : [];
    }
}
