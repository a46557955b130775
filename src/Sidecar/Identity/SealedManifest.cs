using System.Text.Json.Serialization;

namespace FleetSidecar.Identity;

/// <summary>What the operator sealed: which files are this agent's, and what proves it.</summary>
internal sealed record SealedManifest
{
    public required string Agent { get; init; }

    public required string Tree { get; init; }

    public required long SealedAtUnixMs { get; init; }

    public required IReadOnlyList<SealedFile> Files { get; init; }
}

/// <summary>One sealed file. Its bytes lie beside the manifest.</summary>
internal sealed record SealedFile
{
    public required string Path { get; init; }

    /// <summary>One of <see cref="IdentityRule"/>.</summary>
    public required string Rule { get; init; }

    /// <summary>Of the sealed bytes, lower case.</summary>
    public required string Sha256 { get; init; }

    public string? Mark { get; init; }

    public string? Table { get; init; }

    public long MinimumRows { get; init; }

    public required int Mode { get; init; }

    public required uint Owner { get; init; }

    public required uint Group { get; init; }
}

/// <summary>How the files of the identity folder look.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(SealedManifest))]
[JsonSerializable(typeof(SyncPlan))]
[JsonSerializable(typeof(SyncRecord))]
[JsonSerializable(typeof(IdentityReport))]
[JsonSerializable(typeof(SyncReport))]
[JsonSerializable(typeof(ContactsReport))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
internal sealed partial class IdentityJson : JsonSerializerContext;
