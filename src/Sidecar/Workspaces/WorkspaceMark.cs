using System.Text.Json;
using System.Text.Json.Serialization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Our mark in a workspace's directory: what the work in it belongs to. Only what carries one is ever rescued or removed.</summary>
/// <remarks>It is beside the clone, not in it, and says everything that a rescue needs: also where the store was lost.</remarks>
internal sealed record WorkspaceMark
{
    public const string FileName = "fleet-workspace.json";

    private const int Longest = 1 << 20;

    public required string RunId { get; init; }

    public required string TaskId { get; init; }

    public required long Generation { get; init; }

    public required string Agent { get; init; }

    /// <summary>When its run began, unix milliseconds.</summary>
    public required long BeganAtUnixMs { get; init; }

    public required string Repository { get; init; }

    public required string Branch { get; init; }

    /// <summary>Where the branch leaves its target. The one commit that is taken to be on the origin without asking: it is nobody's work here.</summary>
    public required string Base { get; init; }

    /// <summary>What was found and saved after the run's end; null before.</summary>
    public RescueNote? Rescue { get; init; }

    /// <summary>Whether another mark would have the same work saved under the same name.</summary>
    public bool IsOfSameWork(WorkspaceMark other) => (RunId, TaskId, Generation, Repository, Branch, Base) == (other.RunId, other.TaskId, other.Generation, other.Repository, other.Branch, other.Base);

    /// <summary>The mark of a workspace, or null where there is none that can be read.</summary>
    public static WorkspaceMark? Read(string directory) =>
        OutsideFile.Read(Path.Combine(directory, FileName), Longest, followLink: false) is { } bytes ? OutsideJson.Read(bytes, MarkJson.Default.WorkspaceMark) : null;

    public void Write(string directory) => AtomicFile.Write(Path.Combine(directory, FileName), JsonSerializer.Serialize(this, MarkJson.Default.WorkspaceMark));
}

/// <summary>What became of the work that an attempt left.</summary>
/// <param name="AtUnixMs">When it was looked at last.</param>
/// <param name="EndedAtUnixMs">When the run was first seen to be over.</param>
/// <param name="Commit">The rescue commit; null where all work was on the origin.</param>
/// <param name="Pushed">The origin holds it, proved by asking; true as well where there was nothing to push.</param>
/// <param name="Kept">Why the workspace stays whatever its age; null where nothing is against removing it.</param>
internal sealed record RescueNote(long AtUnixMs, long EndedAtUnixMs, string? Commit, bool Pushed, string? Kept)
{
    /// <summary>Why the last look came to nothing, where it did.</summary>
    public string? Problem { get; init; }

    /// <summary>Nothing would be lost with the directory.</summary>
    [JsonIgnore]
    public bool IsSafe => Pushed && Kept is null && Problem is null;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(WorkspaceMark))]
internal sealed partial class MarkJson : JsonSerializerContext;
