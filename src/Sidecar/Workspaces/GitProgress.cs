using System.Collections.Concurrent;

namespace FleetSidecar.Workspaces;

/// <summary>What each run's git is doing, and what went wrong last, so that a deadline that passes can tell.</summary>
/// <remarks>In memory alone: after a restart the order begins again and finds its faults again.</remarks>
internal sealed class GitProgress
{
    private readonly ConcurrentDictionary<string, Steps> _runs = new();

    // Git's commands are given by many hands; which run they are for is known where its order begins.
    private readonly AsyncLocal<Steps?> _current = new();

    /// <summary>From here on, within the calling method, commands belong to this run.</summary>
    public Steps Follow(string runId)
    {
        var steps = new Steps(this, runId);
        _runs[runId] = steps;
        _current.Value = steps;
        return steps;
    }

    /// <summary>A command that runs until the answer is disposed of; null where it belongs to no run.</summary>
    public IDisposable? Running(string[] arguments) => _current.Value?.Begin(GitFaults.VerbOf(arguments));

    /// <summary>What a run's git is doing and what failed last; null where there is nothing to tell.</summary>
    public string? Of(string runId) => _runs.TryGetValue(runId, out var steps) ? steps.Describe() : null;

    /// <summary>The commands of one order.</summary>
    internal sealed class Steps(GitProgress owner, string runId) : IDisposable
    {
        private readonly ConcurrentDictionary<Command, byte> _running = new();
        private volatile string? _lastFault;

        /// <summary>The order failed and is tried again.</summary>
        public void Failed(string fault) => _lastFault = fault;

        public void Dispose() => owner._runs.TryRemove(new KeyValuePair<string, Steps>(runId, this));

        internal Command Begin(string verb)
        {
            var command = new Command(this, verb);
            _running[command] = 0;
            return command;
        }

        internal string? Describe()
        {
            var running = _running.Keys.OrderByDescending(command => command.Age).FirstOrDefault();
            string?[] parts =
            [
                running is null ? null : $"git {running.Verb} has been running for {running.Age.TotalSeconds:0} s",
                _lastFault is null ? null : $"the last fault was {_lastFault}",
            ];
            return string.Join("; ", parts.OfType<string>()) is { Length: > 0 } text ? text : null;
        }

        /// <summary>One command.</summary>
        internal sealed class Command(Steps steps, string verb) : IDisposable
        {
            private readonly long _began = Environment.TickCount64;

            public string Verb => verb;

            public TimeSpan Age => TimeSpan.FromMilliseconds(Environment.TickCount64 - _began);

            public void Dispose() => steps._running.TryRemove(this, out _);
        }
    }
}
