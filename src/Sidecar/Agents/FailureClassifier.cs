using System.Text.RegularExpressions;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>Says which kind of failure a bad end is. The one place that reads meaning out of exit codes and of other programs' words; pure.</summary>
/// <remarks>
/// What the kernel and the process's end say comes first, words last, because words lie: an agent that was killed for its
/// memory may have printed "401" just before. Of a text the last line that means anything decides: programs log each retry and
/// then give up. May get wrong: an agent that prints somebody else's error as its last words. <see cref="FailureClass.Unknown"/>
/// is a legal answer.
/// </remarks>
internal static partial class FailureClassifier
{
    private const int CannotExecute = 126, NotFound = 127, BadConfiguration = 78;
    private const int LongestLine = 4096;

    // What ends a process by default, by number; see signal(7). Not ABRT: a program that gives itself up says why.
    private static readonly int[] Deadly = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 30, 31];

    // In order: the first one that a line fits is its meaning.
    private static readonly (Regex Pattern, string Class)[] Meanings =
    [
        (HeapWords(), FailureClass.OutOfMemory),
        (ContextWords(), FailureClass.ContextExhausted),
        (AuthWords(), FailureClass.Auth),
        (RateWords(), FailureClass.RateLimited),
        (ProviderWords(), FailureClass.ProviderDown),
        (ConfigWords(), FailureClass.Config),
    ];

    /// <param name="end">How the process ended.</param>
    /// <param name="outOfMemory">The kernel killed something of the agent's for its use of memory.</param>
    /// <param name="texts">What the program said, the most telling text first.</param>
    public static string Classify(ProcessEnd end, bool outOfMemory, params IEnumerable<string?> texts) => end switch
    {
        _ when outOfMemory || end.OutOfMemory => FailureClass.OutOfMemory,
        { ExitCode: null } => FailureClass.AgentVanished,
        { ExitCode: CannotExecute or NotFound or BadConfiguration } => FailureClass.Config,
        { Signal: { } signal } when Deadly.Contains(signal) => FailureClass.AgentError,
        _ => texts.Select(OfText).FirstOrDefault(found => found != FailureClass.Unknown) ?? FailureClass.Unknown,
    };

    /// <summary>What a text means: the meaning of its last line that has one.</summary>
    public static string OfText(string? text)
    {
        foreach (var line in Enumerable.Reverse((text ?? "").Split('\n')))
        {
            var read = line.Length > LongestLine ? line[..LongestLine] : line;
            if (Array.Find(Meanings, meaning => meaning.Pattern.IsMatch(read)).Class is { } found)
            {
                return found;
            }
        }

        return FailureClass.Unknown;
    }

    /// <summary>What a provider's HTTP status means.</summary>
    public static string OfStatus(long? status) => status switch
    {
        401 or 402 or 403 => FailureClass.Auth,
        429 => FailureClass.RateLimited,
        408 or (>= 500 and <= 599) => FailureClass.ProviderDown,
        _ => FailureClass.Unknown,
    };

    [GeneratedRegex("heap out of memory|cannot allocate memory|out of memory: killed", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HeapWords();

    [GeneratedRegex("context[ _](window|length)[ _](limit|exceeded|is full|of)|maximum context length|prompt is too long|input is too long|exceeds? the (model's )?context|ran out of room in the model's context|ContextOverflow|token count .{0,40}exceeds",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ContextWords();

    [GeneratedRegex("""unauthorized|authentication[ _](failed|error|required)|failed to authenticate|invalid[ _](x-)?api[ _-]?key|incorrect api key|api key not valid|not logged in|/login\b|token (has |is )?(expired|revoked)|expired token|missing environment variable: `?\w*(key|token)|must (specify|set) the \w+_API_KEY|invalid auth method|requires credentials|auth/billing failure|credit balance is too low|ProviderAuthError|(http|status|error|code)\W{0,4}40[123]\b""",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex AuthWords();

    [GeneratedRegex("""rate[ _-]?limit|too many requests|resource[ _]exhausted|(exceeded|out of|insufficient)[ _].{0,20}quota|usage limit|(http|status|error|code|rejected)\W{0,4}429\b""",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex RateWords();

    [GeneratedRegex("""(?-i:\b(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)\b)|connection (refused|reset|closed|failed)|connection_failed|internal (server )?error|bad gateway|service unavailable|gateway time-?out|overloaded|high demand|request timed out|fetch failed|stream (disconnected|closed) before|could not resolve host|gateway not reachable|(http|status|error|code)\W{0,4}5\d\d\b""",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ProviderWords();

    [GeneratedRegex("""not (inside|running in) a trusted directory|error loading config|(unknown|unrecognized|unexpected) (option|argument)|does not recognize option|unknown agent id|has no command|model[ _]not[ _]found|no such model""",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ConfigWords();
}
