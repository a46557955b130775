using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FleetSidecar.Workspaces;

/// <summary>What branches and refs are called. Pure; different ids never give the same name. See git-check-ref-format(1).</summary>
internal static class RefNames
{
    private const string Root = "refs/fleet/";

    // A component is at most 255 bytes on disk, and refs are files. ".lock" is added to it while it is written.
    private const int LongestComponent = 200;

    /// <summary>The branch of a task, the same for every attempt: <c>AGENT/TASK</c>.</summary>
    public static string Branch(string agent, string task) => $"{Component(agent)}/{Component(task)}";

    /// <summary>Names of refs beside which a task's refs cannot be made: what stands before a slash is a directory.</summary>
    public static IReadOnlyList<string> Above(string agent, string task) =>
    [
        $"refs/heads/{Component(agent)}", "refs/fleet", $"{Root}{Task(task)}", $"{Root}rescue", $"{Root}rescue/{Task(task)}",
    ];

    /// <summary>Every ref below a branch, as a pattern for ls-remote; beside one the branch cannot be made.</summary>
    public static string Below(string branch) => $"refs/heads/{branch}/*";

    /// <summary>What one attempt delivered.</summary>
    public static string Attempt(string task, long generation) => $"{Root}{Task(task)}/{generation.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Every attempt of a task, as a pattern for ls-remote.</summary>
    public static string Attempts(string task) => $"{Root}{Task(task)}/*";

    /// <summary>What one attempt left uncommitted or unpushed.</summary>
    public static string Rescue(string task, long generation) => $"{Root}rescue/{Task(task)}/{generation.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Where a branch stood before an attempt that rewrote it.</summary>
    public static string Before(string task, long generation) => $"{Rescue(task, generation)}-before";

    /// <summary>The generation that the name of an attempt's ref says, or null where it is another ref.</summary>
    public static long? GenerationOf(string task, string name) =>
        name.StartsWith($"{Root}{Task(task)}/", StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(name.LastIndexOf('/') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var generation) ? generation : null;

    /// <summary>Any text as one component of a ref: letters, digits, <c>-</c>, <c>_</c> and inner dots stay, all else is written as <c>%XX</c> of its UTF-8.</summary>
    public static string Component(string text)
    {
        var name = new StringBuilder();
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var at = 0; at < bytes.Length; at++)
        {
            var letter = (char)bytes[at];
            var stays = char.IsAsciiLetterOrDigit(letter) || letter == '_'
                || (letter == '-' && at > 0)
                || (letter == '.' && at > 0 && at < bytes.Length - 1 && bytes[at - 1] != '.' && !IsLock(bytes.AsSpan(at)));
            name.Append(stays ? letter.ToString() : $"%{bytes[at]:X2}");
        }

        return name.Length is > 0 and <= LongestComponent ? name.ToString()
            : name.Length == 0 ? "%"
            : $"{name.ToString(0, LongestComponent - 34)}%_{Convert.ToHexStringLower(SHA256.HashData(bytes))[..32]}"; // No byte is written as %_.
    }

    // Rescued work has a folder of its own beside the tasks.
    private static string Task(string task) => task == "rescue" ? "%72escue" : Component(task);

    private static bool IsLock(ReadOnlySpan<byte> rest) => Encoding.ASCII.GetString(rest).Equals(".lock", StringComparison.OrdinalIgnoreCase);
}
