using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.SelfTest;

/// <summary>Whether there is room for another workspace. Cheap enough to be asked at every assignment.</summary>
internal sealed class DiskFloor(SidecarConfig config) : ICheck
{
    public string Name => "disk";

    /// <summary>Why nothing should be accepted, or null.</summary>
    public Closure? Closed() => Look() is { Status: CheckResult.Failed } found ? new Closure("unavailable", found.Detail) : null;

    public Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token) => Task.FromResult<IReadOnlyList<CheckResult>>([Look()]);

    private CheckResult Look()
    {
        try
        {
            var space = DiskSpace.At(config.StateDirectory);
            var seen = string.Create(CultureInfo.InvariantCulture, $"{space.Bytes / 1024 / 1024} MiB{(space.Inodes is { } inodes ? $" and {inodes} inodes" : "")} free at {config.StateDirectory}");
            return space.Bytes < config.SelfTest.DiskFloorBytes ? Low($"{seen}; the floor is {config.SelfTest.DiskFloorBytes / 1024 / 1024} MiB")
                : space.Inodes < config.SelfTest.DiskFloorInodes ? Low($"{seen}; the floor is {config.SelfTest.DiskFloorInodes} inodes")
                : new CheckResult(Name, CheckResult.Ok, seen);
        }
        catch (IOException fault)
        {
            return new CheckResult(Name, CheckResult.Failed, fault.Message, "look at the state directory");
        }
    }

    private CheckResult Low(string detail) => new(Name, CheckResult.Failed, detail, "free space there, or lower selfTest.diskFloorBytes or diskFloorInodes");
}
