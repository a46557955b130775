using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Asks an agent's program something beside a turn (its version, whether a signal was heard), as whoever its turns run as.</summary>
/// <remarks>
/// Where agents have a user of their own, the program, what it reads from its home, or both may be theirs: it runs in a unit
/// of theirs or not at all. A verb that somebody else than the service's user calls, root above all, runs none either.
/// </remarks>
internal sealed class AgentQuestions(SidecarConfig config, ToolRunner tools, UnitTool? units) : IDisposable
{
    // What the program leaves running may hold its output.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>Why the program is not to be run from here, or null. Whoever owns the state directory is the service's user.</summary>
    public string? Refusal =>
        config.AgentsInUnits ? units is null ? "it runs as the agents' user alone" : null
        : PathFacts.Of(config.StateDirectory) is { } state && state.Owner == UnixAccounts.Self ? null
        : $"it runs as the service's user alone, and this is {UnixAccounts.NameOf(UnixAccounts.Self)}";

    /// <param name="profile">Whose program it is.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="limit">After this it is killed with its children.</param>
    /// <param name="token">Kills it too.</param>
    /// <exception cref="Ground.SidecarException">It could not be started, or is not to be run from here.</exception>
    public async Task<ToolOutcome> AskAsync(WakeProfile profile, IReadOnlyList<string> command, TimeSpan limit, CancellationToken token)
    {
        if (Refusal is { } refusal)
        {
            throw new Ground.SidecarException($"{command[0]} was not run: {refusal}", "ask the daemon: start it, and call this verb again");
        }

        if (units is null || !config.AgentsInUnits)
        {
            return await tools.RunAsync(command, AgentEnvironment.ForQuestion(profile), "/", limit, token, Linger, ownSession: true);
        }

        await _turn.WaitAsync(token); // One at a time in that unit.
        try
        {
            return await units.RunAsync(UnitTool.SelfTest, "look", AgentEnvironment.OfProfile(profile), command, null, limit, token, profile.Mode == WakeMode.Run ? profile.Network : null);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new Ground.SidecarException(fault.Message, "it is asked again at the next look", fault);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();
}
