using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Agents.Units;

/// <summary>Which of the machine's users for agents a run has: <c>fleet-agent-1</c> and so on, each with a home of its own, none for two runs at a time.</summary>
/// <remarks>
/// A claim is a link that is called like the slot and names the run, and what of the network it reaches where that is not all. It is made in one step, by one of the machine's sidecars, and found again
/// after a crash. It lasts until the run is over, because its verification steps are the agent's code too. Where the machine
/// has no such users, and for what belongs to no run, it is the one user <c>fleet-agent</c>.
/// </remarks>
internal sealed class AgentSlots(SidecarConfig config, string? directory = null)
{
    // As many as anybody may configure runs for.
    private const int Most = 64;
    private const char Divider = ':';

    /// <summary>The user of signals and of looks; the users of slots have its name and a number.</summary>
    public const string SharedUser = "fleet-agent";

    private readonly string _claims = directory ?? Path.Combine(PackagePaths.State, "slots");
    private readonly Lock _turn = new();
    private readonly HashSet<string> _used = [];
    private IReadOnlySet<string>? _open;
    private Dictionary<string, Claim>? _known;

    /// <summary>How many this machine has.</summary>
    public static int Count()
    {
        var users = UnixAccounts.NamesFrom($"{SharedUser}-").ToHashSet();
        return Enumerable.Range(1, Most).TakeWhile(slot => users.Contains(UserOf(slot))).Count();
    }

    /// <summary>The slot of a run; null where it has none.</summary>
    public int? Of(string run)
    {
        lock (_turn)
        {
            return Known().TryGetValue(run, out var claim) ? claim.Slot : null;
        }
    }

    /// <summary>What of the network a run reaches: one of <see cref="NetworkPolicy"/>.</summary>
    public string NetworkOf(string run)
    {
        lock (_turn)
        {
            return Known().TryGetValue(run, out var claim) ? claim.Network : NetworkPolicy.All;
        }
    }

    /// <summary>Gives a run its slot, the lowest that is free, so that few homes are warm.</summary>
    /// <param name="run">The run.</param>
    /// <param name="count">How many slots there are.</param>
    /// <param name="network">What of the network it reaches. A run that has a slot keeps it, and reaches this from its next unit on.</param>
    /// <returns>False where every one is taken.</returns>
    /// <exception cref="IOException">No claim can be made: the disk is full, or the directory is closed.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public bool Take(string run, int count, string network = NetworkPolicy.All)
    {
        lock (_turn)
        {
            if (Known().TryGetValue(run, out var claim))
            {
                Change(run, claim, network);
                return true;
            }

            if (count == 0)
            {
                return true;
            }

            PrivateDirectory.Make(_claims);
            for (var slot = 1; slot <= count; slot++)
            {
                if (TryClaim(slot, run, network) || (IsAbandoned(slot) && TryClaim(slot, run, network)))
                {
                    Known()[run] = new Claim(slot, network);
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Gives a slot back; nothing of its run lives any more.</summary>
    public void GiveBack(string run)
    {
        lock (_turn)
        {
            if (Known().TryGetValue(run, out var claim))
            {
                try
                {
                    File.Delete(PathOf(claim.Slot));
                    Known().Remove(run);
                }
                catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
                {
                    // The claim stands, and is given back with the next end of a run.
                }
            }
        }
    }

    /// <summary>Gives back what no open run has, except where something of it still works.</summary>
    public void KeepOnly(IReadOnlySet<string> open)
    {
        lock (_turn)
        {
            _open = open;
            Known().Keys.Where(run => !open.Contains(run) && !_used.Contains(run)).ToList().ForEach(GiveBack);
        }
    }

    /// <summary>While something of a run works that is not its agent, a verification step: the run may be over before it is.</summary>
    public IDisposable Use(string run)
    {
        lock (_turn)
        {
            _used.Add(run);
            return new Using(this, run);
        }
    }

    private void EndUse(string run)
    {
        lock (_turn)
        {
            _used.Remove(run);
            if (_open is { } open && !open.Contains(run))
            {
                GiveBack(run);
            }
        }
    }

    private sealed class Using(AgentSlots slots, string run) : IDisposable
    {
        public void Dispose() => slots.EndUse(run);
    }

    private static string UserOf(int slot) => string.Create(CultureInfo.InvariantCulture, $"{SharedUser}-{slot}");

    private string PathOf(int slot) => Path.Combine(_claims, slot.ToString(CultureInfo.InvariantCulture));

    private string TextOf(string run, string network) => network == NetworkPolicy.All ? config.InstancePath(run) : $"{config.InstancePath(run)}{Divider}{network}";

    // In one step: there is no moment without a claim, and none with two.
    private void Change(string run, Claim claim, string network)
    {
        if (claim.Network != network)
        {
            var beside = $"{PathOf(claim.Slot)}.{Guid.NewGuid():N}";
            File.CreateSymbolicLink(beside, TextOf(run, network));
            FileRename.Over(beside, PathOf(claim.Slot));
            Known()[run] = claim with { Network = network };
        }
    }

    private bool TryClaim(int slot, string run, string network)
    {
        if (PathFacts.Of(PathOf(slot)) is not null)
        {
            return false;
        }

        try
        {
            File.CreateSymbolicLink(PathOf(slot), TextOf(run, network));
            return true;
        }
        catch (IOException) when (PathFacts.Of(PathOf(slot)) is not null)
        {
            return false; // Another sidecar of this machine was quicker.
        }
    }

    // An instance that the machine no longer has gives no slot back. The claim is renamed first: of two sidecars that find it, the slower one
    // would otherwise remove the claim that the quicker one has just made.
    [SuppressMessage("ApiDesign", "RS0030", Justification = "The directory is ours alone, and what stands there must not be replaced.")]
    private bool IsAbandoned(int slot)
    {
        if (!IsOfNobody(ClaimIn(PathOf(slot))))
        {
            return false;
        }

        var aside = $"{PathOf(slot)}.{Guid.NewGuid():N}";
        try
        {
            FileRename.Over(PathOf(slot), aside);
        }
        catch (IOException)
        {
            return false; // Another sidecar was quicker.
        }

        var isOfNobody = IsOfNobody(ClaimIn(aside));
        if (!isOfNobody)
        {
            File.Move(aside, PathOf(slot));
        }

        File.Delete(aside);
        return isOfNobody;
    }

    private static bool IsOfNobody(string? claim) => claim?.Split('/') is [var instance, _] && !PackagePaths.HasInstance(instance);

    private Dictionary<string, Claim> Known()
    {
        if (_known is null)
        {
            _known = [];
            for (var slot = 1; slot <= Most; slot++)
            {
                // An instance may have the divider in its name.
                if (ClaimIn(PathOf(slot)) is { } claim && claim[(claim.LastIndexOf('/') + 1)..].Split(Divider) is [var run, .. var rest] && claim == TextOf(run, rest is [var network] ? network : NetworkPolicy.All))
                {
                    _known[run] = new Claim(slot, rest is [var known] ? known : NetworkPolicy.All);
                }
            }
        }

        return _known;
    }

    private sealed record Claim(int Slot, string Network);

    private static string? ClaimIn(string path) => PathFacts.Of(path) is { Kind: PathKind.Link } ? new FileInfo(path).LinkTarget : null;
}
