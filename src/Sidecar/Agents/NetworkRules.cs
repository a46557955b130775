using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Agents;

/// <summary>Where a profile's <c>network</c> cannot be had no agent of it is started. Pure.</summary>
internal static class NetworkRules
{
    public const string NoUnits = "agents run without units here";
    public const string NoUsers = "this machine has no users for agents";
    public const string Hint = "install the packages on a machine with systemd (docs/systemd.md), or set wake.profiles[].network to all";

    /// <summary>What a wake ends with; another try would end the same.</summary>
    public static Failure Refusal(WakeProfile profile, string why) => new(FailureClass.Config, Complaint(profile, why)) { Retryable = false };

    public static string Complaint(WakeProfile profile, string why) => $"network is {profile.Network}, and {why}";
}
