using System.Text.Json.Serialization;
using FleetSidecar.Control;

namespace FleetSidecar.Setup;

/// <summary>What <c>setup --json</c> prints: how far it came, and why not further.</summary>
internal sealed record SetupReport
{
    public bool Ok { get; init; }

    public required string AgentId { get; init; }

    public required string Hub { get; init; }

    public required string ConfigFile { get; init; }

    public required string TokenFile { get; init; }

    /// <summary><c>registered</c>, <c>kept</c> (it was there) or <c>given</c> (with --token-file).</summary>
    public string? Token { get; init; }

    /// <summary><c>written</c> or <c>unchanged</c>.</summary>
    public string? Config { get; init; }

    /// <summary>The unit that was restarted, where systemd runs the daemon.</summary>
    public string? Unit { get; init; }

    public DoctorReport? Doctor { get; init; }

    public SetupProof? Proof { get; init; }

    public string? Error { get; init; }

    public string? Hint { get; init; }
}

/// <summary>The no-op task and how it went.</summary>
internal sealed record SetupProof(string TaskId, string Status, double Seconds, bool WokeAgent);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(SetupReport))]
internal sealed partial class SetupJson : JsonSerializerContext;
