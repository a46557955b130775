using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>Servers (a tmux, the service manager) that took too long to answer a moment ago: a member of one of them must not keep all others waiting, each for the same silence.</summary>
/// <remarks>For looks alone: a command that was given is never taken for one that was not. Owned by the one loop that looks at members.</remarks>
internal sealed class SilentServers(TimeProvider time)
{
    /// <summary>So long a server is not asked again: three times what a question to a tmux may take.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(15);

    private readonly Dictionary<string, (ToolOutcome Outcome, long Since)> _silent = [];

    /// <summary>Asks, or says again what came of it a moment ago.</summary>
    public async Task<ToolOutcome> AskAsync(string server, Func<Task<ToolOutcome>> ask)
    {
        if (_silent.TryGetValue(server, out var last) && time.GetElapsedTime(last.Since) < Pause)
        {
            return last.Outcome;
        }

        var outcome = await ask();
        if (outcome.TimedOut)
        {
            _silent[server] = (outcome, time.GetTimestamp());
        }
        else
        {
            _silent.Remove(server);
        }

        return outcome;
    }
}
