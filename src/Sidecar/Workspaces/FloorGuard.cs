using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>Ends what fills the disk while it is being filled: an origin may send without end, and a repository may be larger than the
/// machine. Work is taken above the floor alone; half of the floor is left to everybody else.</summary>
internal sealed class FloorGuard : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.5);

    private readonly CancellationTokenSource _ending;
    private readonly ITimer _timer;
    private readonly string _directory, _doing;
    private readonly long _leastBytes, _leastInodes;

    /// <param name="config">Names the disk and its floor.</param>
    /// <param name="time">The clock.</param>
    /// <param name="token">Ends it too.</param>
    /// <param name="doing">What is going on, for the reason.</param>
    /// <param name="fromAbove">Guards nothing where the disk is below already: what is saved then is saved from a reserve.</param>
    public FloorGuard(SidecarConfig config, TimeProvider time, CancellationToken token, string doing = "the repository was still coming", bool fromAbove = false)
    {
        (_directory, _leastBytes, _leastInodes, _doing) = (config.StateDirectory, config.SelfTest.DiskFloorBytes / 2, config.SelfTest.DiskFloorInodes / 2, doing);
        if (fromAbove && IsBelow())
        {
            (_leastBytes, _leastInodes) = (0, 0);
        }

        _ending = CancellationTokenSource.CreateLinkedTokenSource(token);
        _timer = time.CreateTimer(_ => Look(), null, Interval, Interval);
    }

    /// <summary>For whatever writes.</summary>
    public CancellationToken Token => _ending.Token;

    /// <summary>Why it was ended, or null where that was not by this guard.</summary>
    public string? Reason { get; private set; }

    public void Dispose()
    {
        _timer.Dispose();
        _ending.Dispose();
    }

    private bool IsBelow()
    {
        try
        {
            return DiskSpace.At(_directory) is var space && (space.Bytes < _leastBytes || space.Inodes < _leastInodes);
        }
        catch (IOException)
        {
            return true;
        }
    }

    private void Look()
    {
        try
        {
            var space = DiskSpace.At(_directory);
            if (space.Bytes < _leastBytes || space.Inodes < _leastInodes)
            {
                Reason ??= $"{space.Bytes / 1024 / 1024} MiB{(space.Inodes is { } inodes ? $" and {inodes} inodes" : "")} were left on the disk while {_doing}";
                _ending.Cancel();
            }
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException)
        {
            // Nobody writes any more, or nobody can say.
        }
    }
}
