using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents.Units;

/// <summary>The units that agents run in, and what may be done with them: the one place that calls <c>systemctl</c> for them.</summary>
/// <remarks>What the sidecar's user may do is said by a rule of polkit: start, stop, kill and reset-failed, of units of this name alone.</remarks>
internal sealed partial class AgentUnits(SidecarConfig config, AgentSlots slots, ToolRunner tools)
{
    // A start returns when the agent was executed, a stop when its last process is gone; both are bounded by the unit's own limits.
    internal static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
    private static readonly Dictionary<string, string> Variables = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C", ["SYSTEMD_PAGER"] = "", ["SYSTEMD_COLORS"] = "0" };

    private const string Offer = "fleet-agent@", TakeTemplate = "fleet-takeback@";

    /// <summary>Set by the sidecar's own unit files: the agents' units are installed and may be started.</summary>
    public static bool AreOffered { get; } = Environment.GetEnvironmentVariable("FLEET_AGENT_UNITS") == Offer;

    /// <summary>The unit of a run. Its template is that of the run's user, its instance the path of the run's directories, escaped as systemd.unit(5) says.</summary>
    public string NameOf(string run) => NameIn(slots.Of(run), slots.NetworkOf(run), run);

    /// <summary>The unit that a run would have in a slot.</summary>
    /// <param name="slot">Null for the user beside the slots.</param>
    /// <param name="network">One of <see cref="NetworkPolicy"/>.</param>
    /// <param name="run">The run.</param>
    public string NameIn(int? slot, string network, string run) => string.Create(CultureInfo.InvariantCulture,
        $"{AgentSlots.SharedUser}{(network == NetworkPolicy.All ? "" : $"-{network}")}{(slot is null ? "" : $"-{slot}")}@{Escape(config.InstancePath(run))}.service");

    /// <summary>The run that a unit belongs to, or null for another sidecar's.</summary>
    public string? RunOf(string unit) =>
        Agent().Match(unit) is { Success: true } agent && agent.Groups["instance"].Value is var instance && Escape(config.InstancePath("")) is var ours
            && instance.StartsWith(ours, StringComparison.Ordinal) && instance[ours.Length..] is var run && Run().IsMatch(run) ? run : null;

    // As the rule of polkit has it: an instance may be called like the beginning of one.
    [GeneratedRegex("^run_[0-9a-f]{12}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Run();

    [GeneratedRegex("^fleet-agent(-(none-|list-)?[0-9]{1,2})?@(?<instance>[^@/]+)\\.service\\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Agent();

    public Task<ToolOutcome> StartAsync(string unit, CancellationToken token) => CallAsync(["start", unit], token);

    /// <summary>Ends everything in a unit and returns when it is over, also where somebody else is stopping it already.</summary>
    public Task<ToolOutcome> StopAsync(string unit) => CallAsync(["stop", unit], CancellationToken.None);

    /// <summary>The same, and waits for nothing.</summary>
    public Task<ToolOutcome> BeginStopAsync(string unit) => CallAsync(["stop", "--no-block", unit], CancellationToken.None);

    /// <summary>Has a run's directories taken back, however long that takes within the limit of that unit.</summary>
    public Task<ToolOutcome> TakeBackAsync(string run) => CallAsync(["start", $"{TakeTemplate}{Escape(config.InstancePath(run))}.service"], CancellationToken.None);

    public Task<ToolOutcome> SignalAsync(string unit, string signal, CancellationToken token) => CallAsync(["kill", "--kill-whom=all", $"--signal={signal}", unit], token);

    /// <summary>Forgets a bad end, once it was read.</summary>
    public Task<ToolOutcome> ForgetAsync(string unit) => CallAsync(["reset-failed", unit], CancellationToken.None);

    /// <summary>What the service manager says of a unit.</summary>
    public async Task<UnitFacts> ShowAsync(string unit)
    {
        var shown = await CallAsync(["show", "--property=LoadState,ActiveState,Result,MainPID", unit], CancellationToken.None);
        var facts = shown.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=', 2)).Where(pair => pair.Length == 2).ToDictionary(pair => pair[0], pair => pair[1]);
        return new UnitFacts(facts.GetValueOrDefault("LoadState", "unknown"), facts.GetValueOrDefault("ActiveState", "unknown"), facts.GetValueOrDefault("Result", "unknown"),
            int.TryParse(facts.GetValueOrDefault("MainPID"), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0);
    }

    /// <summary>The process that a unit's note names, believed only where kernel and service manager agree: the note lies where the agent writes.</summary>
    /// <param name="unit">The unit.</param>
    /// <param name="note">What the note says; null where there is none, which stays so: the unit's program never got that far.</param>
    /// <returns>A process of this unit, or one that has ended. Never a living one of somebody else.</returns>
    public async Task<ProcessIdentity?> BelieveAsync(string unit, ProcessIdentity? note)
    {
        if (note is null || (note.IsAlive() && ControlGroup.UnitOf(note.Pid) == unit))
        {
            return note;
        }

        // It has ended already, or it is a lie. The manager knows the unit's main process by a hand that no agent has.
        var facts = await ShowAsync(unit);
        return facts.MainPid > 0 && ProcessIdentity.Of(facts.MainPid) is { } main ? main : note with { StartTicks = -1 };
    }

    /// <summary>The units of this sidecar's runs that the service manager knows of.</summary>
    public async Task<IReadOnlyList<string>> ListAsync()
    {
        var listed = await CallAsync(["list-units", "--all", "--plain", "--no-legend", "--full", "fleet-agent*@*.service"], CancellationToken.None);
        return [.. listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ', 2)[0]).Where(unit => RunOf(unit) is not null)];
    }

    private async Task<ToolOutcome> CallAsync(string[] words, CancellationToken token)
    {
        try
        {
            return await tools.RunAsync(["systemctl", "--no-ask-password", "--no-pager", .. words], Variables, "/", Limit, token);
        }
        catch (SpawnException fault)
        {
            return new ToolOutcome(ExitCodes.Unavailable, "", fault.Message, TimedOut: false);
        }
    }

    /// <summary>As <c>systemd-escape --path</c>.</summary>
    public static string Escape(string path)
    {
        var text = new StringBuilder();
        foreach (var letter in Encoding.UTF8.GetBytes(path))
        {
            var plain = char.IsAsciiLetterOrDigit((char)letter) || letter is (byte)'_' or (byte)':' || (letter == '.' && text.Length > 0);
            _ = letter == '/' ? text.Append('-') : plain ? text.Append((char)letter) : text.Append(CultureInfo.InvariantCulture, $"\\x{letter:x2}");
        }

        return text.ToString();
    }
}

/// <summary>A unit as <c>systemctl show</c> says it.</summary>
internal sealed record UnitFacts(string Load, string Active, string Result, int MainPid)
{
    /// <summary>Nothing of it runs, and nothing is about to.</summary>
    public bool IsOver => Active is "inactive" or "failed";
}
