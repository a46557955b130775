using FleetSidecar.Ground.Files;

namespace FleetSidecar.SelfTest;

/// <summary>What a disk lacks to be a quarter above its floor. From there downwards old things are removed, so that the floor itself is not reached.</summary>
/// <param name="Bytes">Missing bytes; zero where there are enough.</param>
/// <param name="Inodes">Inodes are missing.</param>
internal readonly record struct DiskShortage(long Bytes, bool Inodes)
{
    private const double Margin = 1.25;

    public bool IsNone => Bytes == 0 && !Inodes;

    public static DiskShortage Of(DiskSpace space, SelfTestOptions limits) => new(
        Math.Max(0, (long)(limits.DiskFloorBytes * Margin) - space.Bytes), space.Inodes < limits.DiskFloorInodes * Margin);
}
