using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Retention;

/// <summary>What stood in the place of a file of ours and was moved beside it (<see cref="ClearPlace"/>): an agent or a member that puts such things there again and again would fill the disk with them.</summary>
internal sealed class Displaced(SidecarConfig config, ToolRunner tools)
{
    private const int MaxRemovedAtOnce = 1000;

    /// <summary>Removes all but the newest of each place, and that one too once it is as old as a settled run may get, or near the disk floor.</summary>
    /// <param name="now">The time now, as the file system tells it.</param>
    /// <param name="nearFloor">Nothing of it stays.</param>
    /// <param name="token">Stops in between.</param>
    /// <returns>How many went.</returns>
    /// <exception cref="IOException">Something stays.</exception>
    public async Task<int> SweepAsync(DateTimeOffset now, bool nearFloor, CancellationToken token)
    {
        var count = 0;
        foreach (var (path, facts) in Places().SelectMany(InPlace).GroupBy(found => ClearPlace.PlaceOf(found.Path)).SelectMany(place => TooMany(place, now, nearFloor)).Take(MaxRemovedAtOnce).ToList())
        {
            if (facts.Kind == PathKind.Directory)
            {
                await TreeRemoval.RemoveAsync(tools, path, token);
            }
            else
            {
                File.Delete(path);
            }

            count++;
        }

        return count;
    }

    // The directories whose files are ours alone. A run's go with their run; what stands beside a mirror lends it objects.
    private IEnumerable<string> Places()
    {
        var supervise = Path.Combine(config.StateDirectory, "supervise");
        IEnumerable<string> members = PathFacts.Of(supervise) is { Kind: PathKind.Directory } ? Directory.EnumerateDirectories(supervise) : [];
        return [config.StateDirectory, Path.Combine(config.StateDirectory, "logs"), Path.Combine(config.StateDirectory, "identity"), Path.Combine(config.StateDirectory, "orders"), .. members];
    }

    private static IEnumerable<(string Path, PathFacts Facts)> InPlace(string directory) =>
        PathFacts.Of(directory) is not { Kind: PathKind.Directory } ? []
        : Directory.EnumerateFileSystemEntries(directory, $"*{ClearPlace.Mark}*").Where(path => ClearPlace.PlaceOf(path) is not null)
            .SelectMany(path => PathFacts.Of(path) is { } facts ? [(path, facts)] : Array.Empty<(string Path, PathFacts Facts)>());

    // One that is dated ahead was not moved a moment ago: whoever made it chose its time.
    private IEnumerable<(string Path, PathFacts Facts)> TooMany(IEnumerable<(string Path, PathFacts Facts)> place, DateTimeOffset now, bool nearFloor)
    {
        var newestFirst = place.OrderByDescending(found => found.Facts.Written <= now).ThenByDescending(found => found.Facts.Written).ToList();
        return nearFloor || now - newestFirst[0].Facts.Written > config.Retention.KeepRunsFor ? newestFirst : newestFirst.Skip(1);
    }
}
