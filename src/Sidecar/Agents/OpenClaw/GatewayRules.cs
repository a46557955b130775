using System.Text.Json;
using FleetSidecar.Agents.Adapters;

namespace FleetSidecar.Agents.OpenClaw;

/// <summary>What to do about a turn after a look at its session. Pure.</summary>
/// <remarks>
/// A gateway that was killed in mid-turn finds the session when it is back and goes on with it under a new run id, a few
/// seconds after it accepts connections. So nothing is submitted again while something runs, and after a turn that was accepted
/// not before that time is over either.
/// </remarks>
internal static class GatewayRules
{
    /// <param name="session">The row of <c>sessions.describe</c>; null where the gateway knows no such session.</param>
    /// <param name="runId">Ours.</param>
    /// <param name="acceptedAtUnixMs">When the gateway accepted it, by its own clock; null where it never said so to us.</param>
    /// <param name="recoveryOver">The gateway has been back for so long that it would have gone on with an interrupted session.</param>
    public static GatewayStep After(JsonElement? session, string runId, long? acceptedAtUnixMs, bool recoveryOver)
    {
        var again = acceptedAtUnixMs is null || recoveryOver ? GatewayStep.Submit : GatewayStep.Wait;
        if (session is not { } row)
        {
            return again;
        }

        if (row.Flag("hasActiveRun") == true || row.Text("status") is "running" or "queued" or "pending")
        {
            return GatewayStep.Wait;
        }

        var ours = row.Text("lastRunId") == runId || (acceptedAtUnixMs is { } accepted && row.Number("endedAt") >= accepted);
        return (row.Text("status"), ours) switch
        {
            (null, _) or (_, false) => again,
            ("done", true) => GatewayStep.EndedWell,
            (_, true) when row.Flag("abortedLastRun") == true && !recoveryOver => GatewayStep.Wait,
            _ => GatewayStep.EndedBadly,
        };
    }
}

/// <summary>See <see cref="GatewayRules"/>.</summary>
internal enum GatewayStep
{
    Submit,
    Wait,
    EndedWell,
    EndedBadly,
}
