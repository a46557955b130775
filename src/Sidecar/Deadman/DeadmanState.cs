using System.Text.Json;
using System.Text.Json.Serialization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Deadman;

/// <summary>What the dead man's switch remembers from pass to pass; what <c>status</c> shows of it.</summary>
internal sealed record DeadmanState
{
    private const int Largest = 16 * 1024;
    private const long LatestTime = 253_402_300_799_999; // The year 9999: what is beyond was never written by us.

    /// <summary>What the last pass saw; one of <see cref="DeadmanCondition"/>.</summary>
    public string Condition { get; init; } = DeadmanCondition.Fine;

    /// <summary>Since when it is like that, without a break.</summary>
    public long SinceUnixMs { get; init; }

    /// <summary>Passes in a row in which the socket was silent.</summary>
    public int SilentPasses { get; init; }

    /// <summary>Restarts in a row; forgotten after half an hour in which all was well.</summary>
    public int Restarts { get; init; }

    public string? LastAction { get; init; }

    public string? LastDetail { get; init; }

    public long? LastActionAtUnixMs { get; init; }

    public long? LastReportAtUnixMs { get; init; }

    /// <summary>Of the last report, also after all was well again: a daemon that comes and goes is reported once an hour.</summary>
    public string? ReportedCondition { get; init; }

    public long? ReportedAtUnixMs { get; init; }

    /// <summary>What the daemon last said of its door; holds where its sign of life cannot be found any more, because its directory is being moved.</summary>
    public string? Door { get; init; }

    /// <summary>When the last pass was.</summary>
    public long CheckedAtUnixMs { get; init; }

    /// <summary>Why the present configuration is not among the last good ones although the daemon is well with it, or null.</summary>
    public string? KeepProblem { get; init; }

    public static string FileIn(string deadmanDirectory) => Path.Combine(deadmanDirectory, "deadman.json");

    public static DeadmanState? Read(string file) =>
        OutsideFile.Read(file, Largest, followLink: false) is { } bytes
            && OutsideJson.Read(bytes, DeadmanJson.Default.DeadmanState) is { Condition: not null, SinceUnixMs: >= 0 and <= LatestTime, LastActionAtUnixMs: null or (>= 0 and <= LatestTime) } state ? state : null;

    public void Write(string file) => OwnedFile.Write(file, JsonSerializer.SerializeToUtf8Bytes(this, DeadmanJson.Default.DeadmanState),
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DeadmanState))]
internal sealed partial class DeadmanJson : JsonSerializerContext;
