using System.Text.Json.Serialization;

namespace FleetSidecar.Import;

/// <summary>What became of one key of the other program's configuration.</summary>
/// <param name="Key">The key, or the file, as it is called there.</param>
/// <param name="Became">The key of ours; null where there is none.</param>
/// <param name="Outcome">One of <see cref="ImportOutcome"/>.</param>
/// <param name="Note">The value, or why there is no equivalent; never a secret.</param>
internal sealed record ImportRow(string Key, string? Became, string Outcome, string Note);

/// <summary>What can become of a key.</summary>
internal static class ImportOutcome
{
    /// <summary>It means the same here.</summary>
    public const string Taken = "taken";

    /// <summary>It was carried over and means something slightly different here; the note says what.</summary>
    public const string Changed = "changed";

    /// <summary>It has no equivalent here; the note says why.</summary>
    public const string LeftOut = "left_out";
}

/// <summary>What <c>config import-agentcom --json</c> prints.</summary>
internal sealed record ImportReport
{
    public bool Ok { get; init; }

    public required string Source { get; init; }

    public required string ConfigFile { get; init; }

    public required string TokenFile { get; init; }

    /// <summary>
    /// <c>written</c>, <c>unchanged</c>, or <c>not_written</c> where only a look was asked for or the import was
    /// refused.
    /// </summary>
    public string Config { get; init; } = "not_written";

    public IReadOnlyList<ImportRow> Rows { get; init; } = [];

    /// <summary>Files that hold the token in clear text besides the new one.</summary>
    public IReadOnlyList<string> TokenStillIn { get; init; } = [];

    /// <summary>What to do next, in order.</summary>
    public IReadOnlyList<string> Next { get; init; } = [];

    public string? Error { get; init; }

    public string? Hint { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true
)]
[JsonSerializable(typeof(ImportReport))]
internal sealed partial class ImportJson : JsonSerializerContext;
