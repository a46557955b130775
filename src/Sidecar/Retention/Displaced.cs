using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Retention;

/// <summary>What stood in the place of a file of ours and got another name beside that place (<see cref="ClearPlace"/>): an agent or a member that puts such things there again and again would fill the disk with them.</summary>
internal sealed class Displaced(SidecarConfig config, ToolRunner tools, TimeProvider time)
{
    // The rest follows with the next look.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <summary>Removes all but the newest of each place, and that one too once it lies there as long as a settled run may, or near the disk floor. A link that is the newest stays: it may be an operator's, to a disk that is away.</summary>
    /// <param name="now">The time now, as the file system tells it.</param>
    /// <param name="nearFloor">Nothing else of it stays.</param>
    /// <param name="problems">What could not be removed, a line each.</param>
    /// <param name="token">Stops in between.</param>
    /// <returns>How many went.</returns>
    public async Task<int> SweepAsync(DateTimeOffset now, bool nearFloor, List<string> problems, CancellationToken token)
    {
        var (count, began) = (0, time.GetTimestamp());
        foreach (var (path, facts) in Found().GroupBy(found => ClearPlace.PlaceOf(found.Path)).SelectMany(place => TooMany(place, now, nearFloor)).ToList())
        {
            if (time.GetElapsedTime(began) > Longest)
            {
                break;
            }

            try
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
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                problems.Add(fault.Message);
            }
        }

        return count;
    }

    private IEnumerable<(string Path, PathFacts Facts)> Found()
    {
        var ours = Places().Distinct().ToList();
        return ours.SelectMany(InPlace).Concat(SinglePlaces().Where(single => !ours.Contains(single.Directory)).SelectMany(single => InPlace(single.Directory).Where(found => single.IsOurs(ClearPlace.PlaceOf(found.Path)!))));
    }

    // Directories where single files are ours, wherever an operator put them: what others have there under such names stays.
    private IEnumerable<(string Directory, Func<string, bool> IsOurs)> SinglePlaces()
    {
        var (log, socket, agents) = (config.LogFile, config.SocketFile, config.AgentSocketFile);
        if (Path.GetDirectoryName(log) is { Length: > 0 } logs)
        {
            yield return (logs, place => BundleFile.IsFileOf(log, place));
            yield return (Path.GetDirectoryName(logs) ?? logs, place => place == logs);
        }

        yield return (Path.GetDirectoryName(socket)!, place => place == socket || place == agents);
    }

    // The directories whose files are ours alone. A run's go with their run; what stands beside a mirror lends it objects.
    private IEnumerable<string> Places()
    {
        var supervise = Path.Combine(config.StateDirectory, "supervise");
        var members = Members(supervise);
        string?[] places = [config.StateDirectory, Path.Combine(config.StateDirectory, "logs"), Path.Combine(config.StateDirectory, "identity"), config.OrdersDirectory, .. members];
        return places.OfType<string>();
    }

    private static string[] Members(string supervise)
    {
        try
        {
            return PathFacts.Of(supervise) is { Kind: PathKind.Directory } ? Directory.GetDirectories(supervise) : [];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static List<(string Path, PathFacts Facts)> InPlace(string directory)
    {
        var found = new List<(string, PathFacts)>();
        try
        {
            foreach (var path in PathFacts.Of(directory) is { Kind: PathKind.Directory } ? Directory.GetFileSystemEntries(directory, $"*{ClearPlace.Mark}*") : [])
            {
                if (ClearPlace.PlaceOf(path) is not null && PathFacts.Of(path) is { } facts)
                {
                    found.Add((path, facts));
                }
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Closed to us: then nothing can be removed there either.
        }

        return found;
    }

    // By when it got its name: what is in it may be of any age, and whoever made it chose that.
    private IEnumerable<(string Path, PathFacts Facts)> TooMany(IEnumerable<(string Path, PathFacts Facts)> place, DateTimeOffset now, bool nearFloor)
    {
        var newestFirst = place.OrderByDescending(found => found.Facts.Changed).ToList();
        var newest = newestFirst[0].Facts;
        var goes = newest.Kind != PathKind.Link && (nearFloor || now - newest.Changed > config.Retention.KeepRunsFor);
        return goes ? newestFirst : newestFirst.Skip(1);
    }
}
