using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Keeps one berth ready for the next run.</summary>
/// <remarks>
/// When the sidecar goes, however it goes, the pipe closes and the waiting recorder ends; its empty directory is swept away by
/// the next process. A recorder that has its order is on its own from then on. Never more than one berth is kept, because each
/// costs a process.
/// </remarks>
internal sealed class Berths(SidecarConfig config, ProcessWatch watch, Availability availability, TimeProvider time) : IDisposable
{
    // Not at once: the agent that was just started should have the machine to itself for its first moment.
    private static readonly TimeSpan RefillDelay = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(5);

    private readonly Lock _turn = new();
    private readonly DateTime _started = time.GetUtcNow().UtcDateTime;
    private Berth? _ready;
    private bool _isNamed, _closed;
    private int _refilling;

    /// <summary>Id and nonce of the berth that is ready, for the run that is going to have it; null where a run has its name already.</summary>
    public (string RunId, string Nonce, string Profile)? Ready
    {
        get
        {
            lock (_turn)
            {
                return _ready is null || _isNamed ? null : (_ready.RunId, _ready.Nonce, _ready.Profile);
            }
        }
    }

    /// <summary>The berth that waits, whether or not a run has its name.</summary>
    public string? Waiting
    {
        get
        {
            lock (_turn)
            {
                return _ready?.RunId;
            }
        }
    }

    /// <summary>A run of this name is on disk: if it is that of the berth, no other run may have it, whatever becomes of this one.</summary>
    public void Name(string runId)
    {
        lock (_turn)
        {
            _isNamed |= _ready?.RunId == runId;
        }
    }

    /// <summary>A run is over. Where its berth still waits nothing was started in it: the recorder ends, and the directory is the run's. True where one did.</summary>
    public bool Forgo(string runId)
    {
        lock (_turn)
        {
            if (_ready is not { } unused || unused.RunId != runId)
            {
                return false;
            }

            (_ready, _isNamed) = (null, false);
            Return(unused);
            return true;
        }
    }

    /// <summary>Why no berth can be made at present, or null. While there is a reason no work is taken.</summary>
    public string? Problem { get; private set; }

    /// <summary>The berth made for a run, or a new one. The caller gives it back.</summary>
    /// <exception cref="SpawnException">No recorder could be started; nothing runs.</exception>
    public Berth Take(string runId, string nonce, int attempt, WakeProfile profile)
    {
        lock (_turn)
        {
            if (attempt == 1 && _ready is { } ready && ready.RunId == runId && ready.Profile == profile.Name)
            {
                (_ready, _isNamed) = (null, false);
                return ready;
            }
        }

        return Berth.Make(runId, nonce, attempt, profile, config);
    }

    /// <summary>Ends the use of a berth. A recorder that never had an order ends now, and is not left as a zombie.</summary>
    public void Return(Berth berth)
    {
        var identity = berth.HasOrder ? null : ProcessIdentity.Of(berth.Pid) ?? new ProcessIdentity(berth.Pid, 0, ProcessIdentity.CurrentBootId);
        berth.Dispose();
        if (identity is not null)
        {
            _ = watch.EndOfAsync(identity);
        }
    }

    /// <summary>Sees to it that a berth is ready, a moment from now; tries until it can.</summary>
    public async Task RefillAsync(WakeProfile profile, CancellationToken token)
    {
        if (config.AgentsInUnits || NoopProfile.Is(profile.Name) || Interlocked.Exchange(ref _refilling, 1) == 1)
        {
            return; // Units need none, nobody waits for a no-op, or one is at it already.
        }

        try
        {
            await Task.Delay(RefillDelay, time, token);
            while (!TryRefill(profile))
            {
                await Task.Delay(TryAgain, time, token);
            }
        }
        finally
        {
            Volatile.Write(ref _refilling, 0);
        }
    }

    /// <summary>The profiles have changed: what was made ready has the old environment.</summary>
    public void Renew()
    {
        lock (_turn)
        {
            try
            {
                Drop();
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Its empty directory is swept at the next start.
            }
        }
    }

    /// <summary>Removes berths that no run ever had: left by a daemon that crashed while one was ready.</summary>
    public void Sweep(IReadOnlySet<string> openRuns)
    {
        if (config.AgentsInUnits)
        {
            return; // There are none, and in what lies there an agent may be at work.
        }

        try
        {
            foreach (var directory in Directory.EnumerateDirectories(config.RunsDirectory).Where(directory =>
                !openRuns.Contains(Path.GetFileName(directory))
                && PathFacts.Of(directory) is { } facts && facts.Written < _started // What is newer is ours.
                && IsUnused(directory)))
            {
                Directory.Delete(directory, recursive: true);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Empty directories can wait; that none can be made is noticed, and said, when the next one is.
        }
    }

    /// <summary>Gives up the berth that waits where something was put into it: until a run has it, it would lie there as long as the daemon lives. The directory is then one of no run's.</summary>
    /// <returns>Its name, or null.</returns>
    public string? GiveUpUsed()
    {
        lock (_turn)
        {
            if (_ready is not { } ready || _isNamed || IsAsMade(Path.Combine(config.RunsDirectory, ready.RunId)))
            {
                return null;
            }

            _ready = null;
            Return(ready);
            return ready.RunId;
        }

        static bool IsAsMade(string directory)
        {
            try
            {
                return PathFacts.Of(directory) is { Kind: PathKind.Directory } && IsUnused(directory);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                return false; // It has lost its rights.
            }
        }
    }

    public void Dispose()
    {
        lock (_turn)
        {
            _closed = true;
            Drop();
        }
    }

    // Whole, or as far as it had come when its daemon was killed: nothing in it but what a berth begins with, and all of that empty.
    private static bool IsUnused(string directory)
    {
        var record = Recorder.Directory(directory, attempt: 1);
        string[] files = [Recorder.TaskFile(directory), Recorder.Note(record), Recorder.Output(record), Recorder.Errors(record)];
        return Directory.EnumerateFileSystemEntries(directory).All(entry => entry == files[0] || entry == record)
            && (!Directory.Exists(record) || Directory.EnumerateFileSystemEntries(record).All(files.Contains))
            && files.All(file => PathFacts.Of(file) is null or { Kind: PathKind.File, Length: 0 });
    }

    // A berth is made with its profile's environment, and the profile that is wanted changes when a provider fails.
    private void DropOther(WakeProfile profile)
    {
        if (_ready is not null && _ready.Profile != profile.Name)
        {
            Drop();
        }
    }

    private void Drop()
    {
        if (_ready is { } unused)
        {
            (_ready, _isNamed) = (null, false);
            Return(unused);
            var directory = Path.Combine(config.RunsDirectory, unused.RunId);
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }
    }

    private bool TryRefill(WakeProfile profile)
    {
        lock (_turn)
        {
            try
            {
                DropOther(profile);
                ClearPlace.For(config.RunsDirectory);
                _ready ??= _closed ? null : Berth.Make(Berth.NewRunId(), Berth.NewNonce(), attempt: 1, profile, config);
                Find(null);
                return true;
            }
            catch (Exception fault) when (fault is SpawnException or IOException or UnauthorizedAccessException)
            {
                Find($"no run directory can be made: {fault.Message}");
                return false;
            }
        }
    }

    private void Find(string? problem)
    {
        Problem = problem;
        availability.Say(AvailabilitySource.Berth, problem is null ? null : new Closure("store_unavailable", problem));
    }
}
