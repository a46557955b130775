using System.Globalization;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Retention;

/// <summary>The directories of runs on disk: which there are, what they take, and how they go.</summary>
/// <remarks>
/// A directory that goes is first moved into <c>.removing</c> beside the others, in one step, and removed there: whatever a
/// crash leaves in that place belongs to no run. Links that an agent made are removed and never followed. With agents in units
/// the directories of other sidecars of the machine lie beside ours, so only names of runs are touched there.
/// </remarks>
internal sealed class RunDirectories(SidecarConfig config, IAgentHost host, ToolRunner tools)
{
    private const string Prefix = "run_";
    private static readonly TimeSpan AheadAtMost = TimeSpan.FromHours(1), OddNamesLimit = TimeSpan.FromMinutes(10);
    private const int IdLength = 16, MeasuredAtOnce = 128, MaxSweptAtOnce = 10_000;
    private static readonly TimeSpan MeasureLimit = TimeSpan.FromMinutes(2);
    private static readonly Dictionary<string, string> Variables = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    // Nobody writes there any more, so each is measured once. Forgotten with the directory.
    private readonly Dictionary<string, long> _bytes = [];

    /// <summary>Ids of the runs that have a directory, with the time of its last change; where the place is ours alone, also what an agent renamed or put there.</summary>
    public IReadOnlyDictionary<string, long> List() => !Directory.Exists(config.RunsDirectory) ? new Dictionary<string, long>()
        : Directory.EnumerateFileSystemEntries(config.RunsDirectory).Where(path => IsOurs(Path.GetFileName(path)))
            .Where(path => !HasNoText(path)).ToDictionary(path => Path.GetFileName(path), path => PathFacts.Of(path)?.Written.ToUnixTimeMilliseconds() ?? 0);

    /// <summary>What each takes on the disk, in bytes of allocated blocks. One that cannot be measured counts as nothing.</summary>
    public async Task<IReadOnlyDictionary<string, long>> MeasureAsync(IReadOnlyCollection<string> runs, CancellationToken token)
    {
        foreach (var gone in _bytes.Keys.Except(runs).ToList())
        {
            _bytes.Remove(gone);
        }

        foreach (var batch in runs.Where(run => !_bytes.ContainsKey(run)).Chunk(MeasuredAtOnce))
        {
            var said = await tools.RunAsync(["du", "-0", "-s", "-x", "-B1", "--", .. batch.Select(PathOf)], Variables, "/", MeasureLimit, token);
            var found = new Dictionary<string, long>();
            foreach (var part in said.Output.Split('\0').Select(line => line.Split('\t', 2)))
            {
                if (part.Length == 2 && long.TryParse(part[0], NumberStyles.None, CultureInfo.InvariantCulture, out var bytes))
                {
                    found[Path.GetFileName(part[1])] = bytes;
                }
            }

            // Where the time was over, the first without an answer is the one that took it. Those behind it have their turn with the next look.
            foreach (var run in said.TimedOut ? batch.TakeWhile(found.ContainsKey).Concat(batch.SkipWhile(found.ContainsKey).Take(1)) : batch)
            {
                _bytes[run] = found.GetValueOrDefault(run);
            }
        }

        return _bytes;
    }

    /// <summary>Puts a run's directory and what it was ordered out of the way; from here on there is none.</summary>
    /// <exception cref="IOException">It stays.</exception>
    public async Task SetAsideAsync(string run)
    {
        var (path, order) = (PathOf(run), Path.Combine(config.OrdersDirectory, run));
        if (PathFacts.Of(order) is { } ordered)
        {
            if (ordered.Kind == PathKind.Directory)
            {
                await TreeRemoval.RemoveAsync(tools, order, CancellationToken.None);
            }
            else
            {
                File.Delete(order);
            }
        }

        if (PathFacts.Of(path) is not { Kind: PathKind.Directory })
        {
            File.Delete(path); // A link is removed, and what it leads to is not ours.
            ForgetGiven(run);
            return;
        }

        try
        {
            await host.ReclaimAsync(run, workspace: null); // After a power cut it is still the agent's.
        }
        catch (StillGivenException)
        {
            // To be removed it need not be ours alone: rm(1) goes from directory to directory and follows no link.
        }

        ForgetGiven(run);
        var aside = config.RemovingDirectory;
        Directory.CreateDirectory(aside);
        var target = Path.Combine(aside, run);
        Directory.Move(path, Path.Exists(target) ? $"{target}-{Guid.NewGuid():N}" : target);
        _bytes.Remove(run);
    }

    /// <summary>Removes what was set aside, now or before a crash.</summary>
    /// <exception cref="IOException">Some of it stays.</exception>
    public Task SweepAsync(CancellationToken token) => TreeRemoval.RemoveAsync(tools, config.RemovingDirectory, token);

    /// <summary>Removes the report files that agents of a task left in the directory that all of them share.</summary>
    public void RemoveReports(string task)
    {
        foreach (var path in new[] { Path.Combine(config.ResultsDirectory, $"{task}.started"), Path.Combine(config.ResultsDirectory, $"{task}.json") })
        {
            if (PathFacts.Of(path) is { Kind: PathKind.File or PathKind.Link })
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Removes what agents left in our own results directory and no open run can mean: a settled run's report is in its row and its directory.</summary>
    /// <remarks>A directory that the operator named (<c>agent.resultsDirectory</c>) may hold other things and is left alone; so is what was written a moment ago.</remarks>
    /// <param name="openTasks">Tasks whose files stay.</param>
    /// <param name="before">Only what was last written before this goes.</param>
    /// <param name="token">Stops in between.</param>
    /// <exception cref="IOException">Something stays.</exception>
    public async Task SweepResultsAsync(IReadOnlySet<string> openTasks, DateTimeOffset before, CancellationToken token)
    {
        if (config.Agent.ResultsDirectory is not null || PathFacts.Of(config.ResultsDirectory) is not { Kind: PathKind.Directory })
        {
            return;
        }

        // One that was dated by a clock that was wrong, or by an agent that wants it to stay, was not written a moment ago.
        var after = before + AheadAtMost;
        foreach (var path in Directory.EnumerateFileSystemEntries(config.ResultsDirectory).Take(MaxSweptAtOnce).ToList())
        {
            var name = Path.GetFileName(path);
            if (openTasks.Any(task => name == task || name.StartsWith($"{task}.", StringComparison.Ordinal)) || PathFacts.Of(path) is not { } facts || (facts.Written >= before && facts.Written <= after))
            {
                continue;
            }

            if (facts.Kind == PathKind.Directory)
            {
                await TreeRemoval.RemoveAsync(tools, path, token);
            }
            else
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Removes what agents of our own user called by bytes that are no text, beside the directories of runs and in our own results directory: no run and no task is called so.</summary>
    /// <inheritdoc cref="SweepResultsAsync"/>
    public async Task SweepOddNamesAsync(DateTimeOffset before, CancellationToken token)
    {
        string?[] places = [config.AgentsInUnits ? null : config.RunsDirectory, config.Agent.ResultsDirectory is null ? config.ResultsDirectory : null];
        foreach (var place in places.OfType<string>().Where(place => PathFacts.Of(place) is { Kind: PathKind.Directory } && Directory.EnumerateFileSystemEntries(place).Any(HasNoText)))
        {
            // Find(1) knows such a name by its bytes.
            string[] odd = ["find", place, "-mindepth", "1", "-maxdepth", "1", "-name", "*[!A-Za-z0-9._-]*", .. Age(before)];
            await tools.RunAsync([.. odd, "-type", "d", "-exec", "chmod", "-R", "u+rwX", "--", "{}", "+"], Variables, "/", OddNamesLimit, token);
            var outcome = await tools.RunAsync([.. odd, "-exec", "rm", "-rf", "--one-file-system", "--", "{}", "+"], Variables, "/", OddNamesLimit, token);
            if (!outcome.Ok)
            {
                throw new IOException(outcome.Error.Split('\n')[0] is { Length: > 0 } said ? said : $"not everything in {place} could be removed");
            }
        }
    }

    private static bool HasNoText(string path) => Path.GetFileName(path).Contains('\uFFFD', StringComparison.Ordinal);

    private static string[] Age(DateTimeOffset before) =>
        ["(", "!", "-newermt", $"@{before.ToUnixTimeSeconds()}", "-o", "-newermt", $"@{(before + AheadAtMost).ToUnixTimeSeconds()}", ")"];

    // Without a workspace git reads nothing of it any more.
    private void ForgetGiven(string run)
    {
        var mark = Path.Combine(config.OrdersDirectory, $"{run}.given");
        if (PathFacts.Of(mark) is not null && !HasWorkspace(run))
        {
            File.Delete(mark);
        }
    }

    /// <summary>The run's workspace is still there, in use or kept.</summary>
    public bool HasWorkspace(string run) => PathFacts.Of(Path.Combine(config.WorkspacesDirectory, run)) is not null;

    private string PathOf(string run) => Path.Combine(config.RunsDirectory, run);

    private bool IsOurs(string name) => IsRun(name) || (!config.AgentsInUnits && name != Path.GetFileName(config.RemovingDirectory));

    private static bool IsRun(string name) =>
        name.Length == IdLength && name.StartsWith(Prefix, StringComparison.Ordinal) && name[Prefix.Length..].All(char.IsAsciiHexDigitLower);
}
