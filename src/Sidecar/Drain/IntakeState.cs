namespace FleetSidecar.Drain;

/// <summary>Whether the operator, or the hub, lets this machine take work.</summary>
internal enum IntakeMode
{
    /// <summary>In: <c>resume</c>, or the end of a pause. Out: <c>pause</c> or <c>drain</c>.</summary>
    Open,

    /// <summary>In: <c>pause</c>. Out: <c>resume</c>, or by itself when its time is over. Runs go on.</summary>
    Paused,

    /// <summary>In: <c>drain</c>. Out: <c>resume</c> alone. Runs go on until the deadline, where there is one.</summary>
    Draining,
}

/// <summary>The decision in force, as stored: it survives every restart.</summary>
/// <param name="Mode">What is let in.</param>
/// <param name="Reason">Why, one line for people.</param>
/// <param name="SinceUnixMs">Since when.</param>
/// <param name="UntilUnixMs">Paused: when it ends by itself. Draining: when runs that still go on are stopped. Null: never.</param>
internal sealed record IntakeState(IntakeMode Mode, string? Reason, long SinceUnixMs, long? UntilUnixMs)
{
    public static readonly IntakeState Open = new(IntakeMode.Open, null, 0, null);
}

/// <summary>Why no work is taken: a word for the wire and a line for people.</summary>
internal sealed record Closure(string Word, string Detail);

/// <summary>What an intake state means at a moment. Pure.</summary>
internal static class IntakeRules
{
    private const long SmallStep = 60_000; // A time service does that.

    public static string Word(IntakeMode mode) => mode switch
    {
        IntakeMode.Open => "open",
        IntakeMode.Paused => "paused",
        IntakeMode.Draining => "draining",
        _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, null),
    };

    public static IntakeMode Parse(string word) => word switch
    {
        "open" => IntakeMode.Open,
        "paused" => IntakeMode.Paused,
        "draining" => IntakeMode.Draining,
        _ => throw new ArgumentOutOfRangeException(nameof(word), word, null),
    };

    /// <summary>Why nothing is accepted, or null while work is let in.</summary>
    public static Closure? Closed(IntakeState state, long now) => state.Mode switch
    {
        IntakeMode.Draining => new Closure("draining", state.Reason ?? "this machine is being drained"),
        IntakeMode.Paused when !IsOver(state, now) => new Closure("paused", state.Reason ?? "paused by the operator"),
        _ => null,
    };

    /// <summary>A pause whose time is over: work is let in again, and the state may be written as open.</summary>
    public static bool PauseIsOver(IntakeState state, long now) => state.Mode == IntakeMode.Paused && IsOver(state, now);

    /// <summary>A drain whose deadline has come: what still runs is stopped.</summary>
    public static bool DrainIsDue(IntakeState state, long now) => state.Mode == IntakeMode.Draining && IsOver(state, now);

    /// <summary>The same state where the clock was set back since it was said: its length counts from now, or a pause of ten seconds that
    /// was said by a clock a year ahead would hold for a year. Null where there is nothing to change.</summary>
    public static IntakeState? AfterStepBack(IntakeState state, long now) => state.UntilUnixMs is { } until && now < state.SinceUnixMs - SmallStep
        ? state with { SinceUnixMs = now, UntilUnixMs = now + Math.Max(0, until - state.SinceUnixMs) } : null;

    private static bool IsOver(IntakeState state, long now) => state.UntilUnixMs <= now;
}
