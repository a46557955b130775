using System.Text.Json.Serialization;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>What is known of a member across restarts of the sidecar. On disk before anything is started.</summary>
internal sealed record MemberRecord
{
    /// <summary>Marks everything that belongs to the life begun last. Null: no life was ever begun, or the record was lost.</summary>
    public string? Nonce { get; init; }

    /// <summary>The process of that life: ours, or a pane's. Null beside a nonce: a crash came between the start and this note.</summary>
    public int? Pid { get; init; }

    public long StartTicks { get; init; }

    public string? BootId { get; init; }

    /// <summary>The boot in which it was last seen alive, or started. What ended with the machine did not fail.</summary>
    public string? SeenBoot { get; init; }

    /// <summary>When we began its last life; null where somebody else did.</summary>
    public long? StartedAtUnixMs { get; init; }

    /// <summary>Whether that was by the resume command.</summary>
    public bool Resumed { get; init; }

    /// <summary>When its death was first seen; null while it lives.</summary>
    public long? DownSinceUnixMs { get; init; }

    /// <summary>The last life was long enough to be resumed. Decided when its end is seen.</summary>
    public bool ResumeNext { get; init; }

    /// <summary>Starts in a row without a stable life.</summary>
    public int Streak { get; init; }

    /// <summary>Starts within the window, oldest first.</summary>
    public IReadOnlyList<long> Starts { get; init; } = [];

    public long? GivenUpAtUnixMs { get; init; }

    /// <summary>Codes of the incidents that the hub has of this episode.</summary>
    public IReadOnlyList<string> Reported { get; init; } = [];

    /// <summary>The process of the last life, alive or not.</summary>
    [JsonIgnore]
    public ProcessIdentity? Process => Pid is { } pid && BootId is { } boot ? new ProcessIdentity(pid, StartTicks, boot) : null;

    public MemberRecord With(ProcessIdentity? process) => this with { Pid = process?.Pid, StartTicks = process?.StartTicks ?? 0, BootId = process?.BootId };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true, MaxDepth = 4)]
[JsonSerializable(typeof(MemberRecord))]
internal sealed partial class SuperviseJson : JsonSerializerContext;
