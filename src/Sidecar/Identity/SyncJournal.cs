using System.Text.Json;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Identity;

/// <summary>The plan under way and the chosen identity bytes, complete on disk or not there at all: the directory gets its name last.</summary>
internal sealed class SyncJournal(IdentityPaths paths)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int LargestPlan = 16 * 1024 * 1024;
    private const long LatestTime = 253_402_300_799_999; // The year 9999.

    private string New => paths.Journal + ".new";

    private string Done => paths.Journal + ".done";

    private string PlanFile => Path.Combine(paths.Journal, "plan.json");

    public bool Exists => PathFacts.Of(paths.Journal) is not null;

    public void Write(SyncPlan plan, IReadOnlyDictionary<string, byte[]> bytes)
    {
        Sweep();
        foreach (var (path, content) in bytes)
        {
            var file = Path.Combine(New, "files", path);
            Directories.Make(Path.GetDirectoryName(file)!);
            OwnedFile.Write(file, content, Private);
        }

        Directories.Make(New);
        OwnedFile.Write(Path.Combine(New, "plan.json"), JsonSerializer.SerializeToUtf8Bytes(plan, IdentityJson.Default.SyncPlan), Private);
        Directory.Move(New, paths.Journal);
        DirectorySync.Flush(paths.Home);
    }

    /// <summary>The same bytes under another plan, at one instant.</summary>
    public void Replace(SyncPlan plan) => OwnedFile.Write(PlanFile, JsonSerializer.SerializeToUtf8Bytes(plan, IdentityJson.Default.SyncPlan), Private);

    /// <summary>The plan that somebody did not finish, or null.</summary>
    public SyncPlan? Read()
    {
        try
        {
            if (!Exists)
            {
                return null;
            }

            var bytes = OutsideFile.Read(PlanFile, LargestPlan, followLink: false) ?? throw new JsonException("there is no such file, or it cannot be read");
            return OutsideJson.Read(bytes, IdentityJson.Default.SyncPlan) is { } plan && plan.Files.All(file => file is not null && IdentityPattern.Complaint(file.Path) is null)
                && plan.Kind is SyncPlan.Forward or SyncPlan.Rollback or SyncPlan.Undo && plan.StartedAtUnixMs is >= 0 and <= LatestTime ? plan : throw new JsonException("it is no plan");
        }
        catch (JsonException fault)
        {
            throw new SidecarException($"the journal {PlanFile} cannot be read: {fault.Message}", "keep it for a look: move the directory journal away, and sync again: nothing is written without a clean identity", fault);
        }
    }

    /// <summary>The chosen bytes, or null where the disk no longer holds what was written.</summary>
    public byte[]? Bytes(PlannedFile file) =>
        OutsideFile.Read(Path.Combine(paths.Journal, "files", file.Path), IdentitySources.LargestFile, followLink: false) is { } bytes && IdentityRules.Sha256(bytes) == file.Sha256 ? bytes : null;

    /// <summary>The sync is recorded: from here on there is nothing to finish.</summary>
    public void Drop()
    {
        Directory.Move(paths.Journal, Done);
        DirectorySync.Flush(paths.Home);
        Sweep();
    }

    /// <summary>Removes what a crash left half written or half removed. Identity paths are text, so the framework can name every file.</summary>
    public void Sweep()
    {
        foreach (var leftover in new[] { New, Done }.Where(Directory.Exists))
        {
            Directory.Delete(leftover, recursive: true);
        }
    }
}

/// <summary>Makes directories that only this user may enter and that survive a power cut.</summary>
internal static class Directories
{
    public static void Make(string path)
    {
        if (!Directory.Exists(path))
        {
            Make(Path.GetDirectoryName(path)!);
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            DirectorySync.Flush(Path.GetDirectoryName(path)!);
        }
    }
}
