using System.Text.Json;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Identity;

/// <summary>Where the tree is, where it was before, and what happened: what is left of a sync when its journal is gone.</summary>
internal sealed record SyncRecord
{
    public SyncPoint? Now { get; init; }

    public SyncPoint? Previous { get; init; }

    /// <summary>A commit that was taken back: the timer leaves it alone until the upstream moves on.</summary>
    public string? Avoid { get; init; }

    /// <summary>The newest events, oldest first.</summary>
    /// <remarks>A file that lacks them is read as null: generated readers pass over an init-only property's initial value.</remarks>
    public IReadOnlyList<SyncEvent> Events { get; init => field = value ?? []; } = [];
}

/// <summary>A version of the tree.</summary>
internal sealed record SyncPoint
{
    public string? Commit { get; init; }

    /// <summary>What was there, without identity paths.</summary>
    public required string Tree { get; init; }

    public required string Method { get; init; }

    /// <summary>Method swap: its directory.</summary>
    public string? Directory { get; init; }

    public required long AtUnixMs { get; init; }
}

/// <summary>Something that a person, or the daemon's log, should hear of; the command line leaves it here for the daemon.</summary>
internal sealed record SyncEvent
{
    public const string Synced = "identity_synced", Collision = "identity_collision", Contaminated = "identity_contaminated", Restored = "identity_restored",
        RolledBack = "sync_rolled_back", Failed = "sync_failed", Finished = "sync_finished";

    public required long Number { get; init; }

    public required long AtUnixMs { get; init; }

    public required string Code { get; init; }

    public required string Detail { get; init; }
}

/// <summary>Keeps the record in one small file.</summary>
internal sealed class SyncRecords(IdentityPaths paths, TimeProvider time)
{
    private const int Kept = 50, LargestRecord = 1024 * 1024, LongestDetail = 1000;

    public SyncRecord Read()
    {
        // A record that cannot be read leaves the tree's version unknown, which only makes the next sync more careful.
        return OutsideFile.Read(paths.Record, LargestRecord, followLink: false) is { } bytes
            && OutsideJson.Read(bytes, IdentityJson.Default.SyncRecord) is { } record && record.Events.All(happened => happened is not null) ? record : new SyncRecord();
    }

    public void Write(SyncRecord record) => AtomicFile.Write(paths.Record, JsonSerializer.Serialize(record, IdentityJson.Default.SyncRecord));

    public void Add(params (string Code, string Detail)[] happened) => Write(With(Read(), happened));

    public SyncRecord With(SyncRecord record, params (string Code, string Detail)[] happened)
    {
        var next = record.Events.Count == 0 ? 1 : record.Events[^1].Number + 1;
        return record with
        {
            Events = [.. record.Events.Concat(happened.Select((one, at) => new SyncEvent
            {
                Number = next + at, AtUnixMs = time.GetUtcNow().ToUnixTimeMilliseconds(), Code = one.Code, Detail = Printable.Head(one.Detail, LongestDetail),
            })).TakeLast(Kept)],
        };
    }
}
