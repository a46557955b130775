using System.Text.Json.Serialization;
using FleetSidecar.Configuration;

namespace FleetSidecar.Workspaces;

/// <summary>One workspace as an operator sees it.</summary>
/// <param name="RunId">Its run.</param>
/// <param name="TaskId">The task.</param>
/// <param name="Generation">The attempt.</param>
/// <param name="State"><c>in_use</c>, <c>waiting</c> (for the origin), <c>kept</c> (for good) or <c>safe</c> (all work is on the origin).</param>
/// <param name="Why">What keeps it, where something does.</param>
/// <param name="RescueRef">Where on the origin the rescued work is, or will be; null where nothing had to be rescued.</param>
/// <param name="RescueCommit">That commit.</param>
/// <param name="RemovableAtUnixMs">When it may go; null where it may not.</param>
/// <param name="Directory">Where it is.</param>
internal sealed record WorkspaceView(
    string RunId, string TaskId, long Generation, string State, string? Why, string? RescueRef, string? RescueCommit, long? RemovableAtUnixMs, string Directory);

/// <summary>The workspaces of this machine, by their marks; needs no daemon.</summary>
internal static class WorkspaceList
{
    public static IReadOnlyList<WorkspaceView> Read(SidecarConfig config) => !Directory.Exists(Clones.Root(config)) ? [] :
    [
        .. Directory.EnumerateDirectories(Clones.Root(config)).Order(StringComparer.Ordinal)
            .Select(directory => Path.GetFileName(directory).StartsWith('.') ? null
                : WorkspaceMark.Read(directory) is { } mark ? View(mark, directory, config.Workspace)
                : new WorkspaceView(Path.GetFileName(directory), "?", 0, "kept", File.Exists(Path.Combine(directory, WorkspaceMark.FileName)) ? "its mark cannot be read" : "it carries no mark of ours", null, null, null, directory))
            .OfType<WorkspaceView>(),
    ];

    private static WorkspaceView View(WorkspaceMark mark, string directory, WorkspaceOptions options)
    {
        var (state, why) = mark.Rescue switch
        {
            null => ("in_use", null),
            { Kept: { } reason } => ("kept", reason),
            { Problem: { } problem } => ("waiting", problem),
            { Pushed: false } => ("waiting", "the origin does not hold all of its work yet"),
            _ => ("safe", (string?)null),
        };
        return new WorkspaceView(mark.RunId, mark.TaskId, mark.Generation, state, why,
            mark.Rescue?.Commit is null ? null : RefNames.Rescue(mark.TaskId, mark.Generation), mark.Rescue?.Commit,
            state == "safe" ? mark.Rescue!.EndedAtUnixMs + (long)options.KeepFor.TotalMilliseconds : null, directory);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
[JsonSerializable(typeof(IReadOnlyList<WorkspaceView>))]
internal sealed partial class WorkspaceJson : JsonSerializerContext;
