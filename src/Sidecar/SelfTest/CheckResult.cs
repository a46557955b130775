namespace FleetSidecar.SelfTest;

/// <summary>What one check found.</summary>
/// <param name="Name">The check, one word.</param>
/// <param name="Status"><c>ok</c>, <c>warning</c>, <c>failed</c> or <c>skipped</c>.</param>
/// <param name="Detail">What was seen, one line.</param>
/// <param name="Hint">What to do about it; null where there is nothing to do.</param>
/// <param name="Blocks">Whether a failure keeps the machine from taking work; that of the link need not, nobody can send any.</param>
internal sealed record CheckResult(string Name, string Status, string Detail, string? Hint = null, bool Blocks = true)
{
    public const string Ok = "ok", Warning = "warning", Failed = "failed", Skipped = "skipped";
}

/// <summary>One check behind "available". Costs no tokens, changes nothing, ends by itself within its time.</summary>
internal interface ICheck
{
    string Name { get; }

    Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token);

    /// <summary>Mends what can be mended without asking; says what was done, or null.</summary>
    string? Fix() => null;
}

/// <summary>What a whole self-test found, and when.</summary>
internal sealed record SelfTestOutcome(IReadOnlyList<CheckResult> Checks, long AtUnixMs)
{
    public bool Passed => !Failures.Any();

    public IEnumerable<CheckResult> Failures => Checks.Where(check => check.Status == CheckResult.Failed && check.Blocks);
}
