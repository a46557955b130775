using System.Collections.Concurrent;

namespace FleetSidecar.Control;

/// <summary>Who of the callers from units gets in: no unit shuts out another one, and nobody holds a place without being counted.</summary>
/// <param name="isAgents">Whether a unit is one in which we run an agent: only so many of them exist, so they need no common limit.</param>
internal sealed class AgentDoor(Func<string, bool> isAgents)
{
    /// <summary>Connections of one unit at a time.</summary>
    public const int MostOfOneUnit = 8;

    /// <summary>Connections at a time of all units in which we run nothing: the agents that are woken by a signal live there.</summary>
    public const int MostOfOthers = 32;

    // Whoever has ended, and whoever lives outside of any unit, in a container for example, shares the places of one unit.
    private const string Others = "", NoUnit = "-";

    private readonly ConcurrentDictionary<string, int> _open = new();

    /// <summary>Counts a caller in.</summary>
    /// <returns>Whether it may stay; where it may not, nothing is counted.</returns>
    public bool TryEnter(string? unit)
    {
        unit ??= NoUnit;
        if (!TryCount(unit, MostOfOneUnit))
        {
            return false;
        }

        if (isAgents(unit) || TryCount(Others, MostOfOthers))
        {
            return true;
        }

        Discount(unit);
        return false;
    }

    /// <summary>Counts it out.</summary>
    public void Leave(string? unit)
    {
        unit ??= NoUnit;
        Discount(unit);
        if (!isAgents(unit))
        {
            Discount(Others);
        }
    }

    private bool TryCount(string name, int most)
    {
        if (_open.AddOrUpdate(name, 1, (_, count) => count + 1) <= most)
        {
            return true;
        }

        Discount(name);
        return false;
    }

    private void Discount(string name)
    {
        if (_open.AddOrUpdate(name, 0, (_, count) => count - 1) <= 0)
        {
            _open.TryRemove(new(name, 0));
        }
    }
}
