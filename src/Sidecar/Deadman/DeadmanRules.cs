namespace FleetSidecar.Deadman;

/// <summary>What the daemon looks like from outside.</summary>
internal static class DeadmanCondition
{
    public const string Fine = "fine";
    public const string NoUnit = "no_unit";
    public const string NotEnrolled = "not_enrolled";
    public const string Stopped = "stopped_on_purpose";
    public const string Changing = "changing";
    public const string Dead = "dead";

    /// <summary>systemd starts it again and again, and it never comes up.</summary>
    public const string Looping = "looping";
    public const string Hung = "hung";
    public const string Stale = "stale";
}

/// <summary>What is done about it.</summary>
internal enum DeadmanAction
{
    Nothing,

    /// <summary>Tell, and touch nothing.</summary>
    Report,

    Restart,

    /// <summary>Put the last configuration that was good in the place of the present one, then restart.</summary>
    Restore,

    /// <summary>Tell that it is well again.</summary>
    Recovered,
}

/// <summary>Everything that a pass found out.</summary>
internal sealed record DeadmanFacts
{
    /// <summary>systemd answers and knows the unit.</summary>
    public bool UnitLoaded { get; init; } = true;

    public bool Enrolled { get; init; } = true;

    public string ActiveState { get; init; } = "active";

    public string Result { get; init; } = "success";

    public string UnitFileState { get; init; } = "enabled";

    /// <summary>systemd starts it again after every end but those that forbid it.</summary>
    public bool RestartsAlways { get; init; }

    /// <summary>Exit code of its last process.</summary>
    public string ExitStatus { get; init; } = "";

    public bool Answers { get; init; } = true;

    /// <summary>Age of the sign of life; null where there is none.</summary>
    public TimeSpan? AliveAge { get; init; }

    /// <summary><c>open</c>, <c>paused</c> or <c>draining</c>, as the daemon last said.</summary>
    public string Intake { get; init; } = "open";

    /// <summary>Why the configuration would not start, or null.</summary>
    public string? ConfigProblem { get; init; }

    /// <summary>A configuration is kept that was good.</summary>
    public bool HasLastGood { get; init; }
}

/// <summary>What a pass does and what the next one is to know.</summary>
internal sealed record DeadmanStep(DeadmanAction Action, string Detail, DeadmanState State);

/// <summary>Detection always has an action (L21). Pure: facts and memory in, step and memory out.</summary>
internal static class DeadmanRules
{
    private static readonly TimeSpan StaleAfter = TimeSpan.FromMinutes(3), ReportEvery = TimeSpan.FromHours(1), WellFor = TimeSpan.FromMinutes(30);

    // A pass comes every minute, give or take; ten seconds less, so that one that is early does not cost another minute.
    private static readonly TimeSpan Early = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan[] Pauses = [TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15)];

    public static DeadmanStep Decide(DeadmanFacts facts, DeadmanState before, long now)
    {
        var silent = facts is { UnitLoaded: true, ActiveState: "active", Answers: false } ? before.SilentPasses + 1 : 0;
        var condition = Judge(facts, silent);
        if (condition == DeadmanCondition.Changing && (before.Condition == DeadmanCondition.Looping || (before.Condition == condition && before.SinceUnixMs > 0 && now - before.SinceUnixMs > StaleAfter.TotalMilliseconds)))
        {
            condition = DeadmanCondition.Looping; // No start takes so long: Restart=always never ends in "failed".
        }

        var state = before with { CheckedAtUnixMs = now, Condition = condition, SilentPasses = silent, SinceUnixMs = condition == before.Condition && before.SinceUnixMs > 0 && before.SinceUnixMs <= now ? before.SinceUnixMs : now };
        return condition switch
        {
            DeadmanCondition.Dead or DeadmanCondition.Looping or DeadmanCondition.Hung or DeadmanCondition.Stale => Trouble(facts, state, before, now),
            DeadmanCondition.Fine => Well(state, now),
            _ => new DeadmanStep(DeadmanAction.Nothing, "", state),
        };
    }

    private static string Judge(DeadmanFacts facts, int silent) => facts switch
    {
        { UnitLoaded: false } => DeadmanCondition.NoUnit,
        { Enrolled: false } => DeadmanCondition.NotEnrolled,
        { ActiveState: "inactive" or "failed", UnitFileState: "disabled" or "masked" or "masked-runtime" } => DeadmanCondition.Stopped,
        { ActiveState: "inactive", Result: "success" } => DeadmanCondition.Stopped,

        // A unit that is always started again rests only where it must not be, or where somebody stopped it, in the middle of crashes too.
        { ActiveState: "inactive" or "failed", RestartsAlways: true, Result: not "start-limit-hit", ExitStatus: not ("64" or "78") } => DeadmanCondition.Stopped,
        { ActiveState: "inactive" or "failed" } => DeadmanCondition.Dead,
        { ActiveState: not "active" } => DeadmanCondition.Changing, // Starting, stopping, reloading: systemd has a time limit of its own.
        { Answers: false } => DeadmanCondition.Hung,
        { AliveAge: { } age } when age.Duration() > StaleAfter => DeadmanCondition.Stale, // Also one from the future: no living daemon leaves it so when a clock is set.
        _ => DeadmanCondition.Fine,
    };

    private static DeadmanStep Trouble(DeadmanFacts facts, DeadmanState state, DeadmanState before, long now)
    {
        var lasted = TimeSpan.FromMilliseconds(now - state.SinceUnixMs);
        if (state.Condition == DeadmanCondition.Hung && state.SilentPasses < 2)
        {
            return new DeadmanStep(DeadmanAction.Nothing, "", state);
        }

        var what = state.Condition switch
        {
            DeadmanCondition.Dead => $"the daemon is dead ({facts.ActiveState}, {facts.Result})",
            DeadmanCondition.Looping => $"the daemon does not come up, however often systemd starts it ({facts.ActiveState}, {facts.Result})",
            DeadmanCondition.Hung => $"the daemon runs and did not answer on its socket in {state.SilentPasses} passes",
            _ => $"the daemon's sign of life is {Math.Abs(facts.AliveAge!.Value.TotalMinutes):0} min {(facts.AliveAge > TimeSpan.Zero ? "old" : "in the future, and does not move")}",
        };
        if (facts.Intake is "paused" or "draining")
        {
            return Tell($"{what}; nothing is restarted, because this machine is {facts.Intake}");
        }

        if (facts.ConfigProblem is { } problem && !facts.HasLastGood)
        {
            return Tell($"{what}; its configuration is wrong and no earlier one is kept: {problem}");
        }

        if (state.Restarts >= Pauses.Length)
        {
            return Tell($"{what}; {state.Restarts} restarts did not help, none is tried any more{(facts.ConfigProblem is { } still ? $"; its configuration is wrong: {still}" : "")}");
        }

        var since = state.Restarts > 0 && state.LastActionAtUnixMs is { } last && last <= now ? TimeSpan.FromMilliseconds(now - last) : lasted;
        return since < Pauses[state.Restarts] - Early ? new DeadmanStep(DeadmanAction.Nothing, "", state)
            : facts.ConfigProblem is { } wrong ? Act(DeadmanAction.Restore, "restored", $"{what}; its configuration is wrong, the last good one takes its place: {wrong}")
            : Act(DeadmanAction.Restart, "restarted", what);

        // At once where it is new, then every hour.
        DeadmanStep Tell(string detail) => (before.LastAction == "reported" && IsRecent(before.LastReportAtUnixMs)) || (before.ReportedCondition == state.Condition && IsRecent(before.ReportedAtUnixMs)) // Also where it was well for a moment in between.
            ? new DeadmanStep(DeadmanAction.Nothing, detail, state)
            : new DeadmanStep(DeadmanAction.Report, detail, state with { ReportedCondition = state.Condition, ReportedAtUnixMs = now, LastAction = "reported", LastDetail = detail, LastActionAtUnixMs = state.Restarts > 0 ? state.LastActionAtUnixMs : now, LastReportAtUnixMs = now });

        bool IsRecent(long? at) => at is { } told && told <= now && now - told < ReportEvery.TotalMilliseconds;

        DeadmanStep Act(DeadmanAction action, string word, string detail) =>
            new(action, detail, state with { Restarts = state.Restarts + 1, SilentPasses = 0, LastAction = word, LastDetail = detail, LastActionAtUnixMs = now, LastReportAtUnixMs = now });
    }

    private static DeadmanStep Well(DeadmanState state, long now)
    {
        var (told, well) = (state.LastReportAtUnixMs is not null, TimeSpan.FromMilliseconds(now - state.SinceUnixMs));
        state = well >= WellFor ? state with { Restarts = 0 } : state;
        return told ? new DeadmanStep(DeadmanAction.Recovered, "the daemon answers again", state with { LastReportAtUnixMs = null }) : new DeadmanStep(DeadmanAction.Nothing, "", state);
    }
}
