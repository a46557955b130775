namespace FleetSidecar.Agents;

/// <summary>How far a wake was proved, weakest first.</summary>
internal static class WakeLevels
{
    public const string None = "none";

    /// <summary>The process has started, or the wake command has ended with 0.</summary>
    public const string Launched = "launched";

    /// <summary>The agent echoed the nonce, or left its receipt.</summary>
    public const string Received = "received";

    /// <summary>First output, tool call or commit.</summary>
    public const string Active = "active";

    /// <summary>Signs of work again, after the first.</summary>
    public const string Progressing = "progressing";

    private static readonly string[] Ladder = [None, Launched, Received, Active, Progressing];

    /// <summary>The words that a profile may ask for.</summary>
    public static IEnumerable<string> Provable => Ladder.Skip(1);

    public static bool Reaches(string level, string wanted) => Array.IndexOf(Ladder, level) >= Array.IndexOf(Ladder, wanted);
}
