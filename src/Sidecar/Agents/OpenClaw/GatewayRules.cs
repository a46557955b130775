using System.Text.Json;
using FleetSidecar.Agents.Adapters;

namespace FleetSidecar.Agents.OpenClaw;

/// <summary>What to do about a turn after a look at its session. Pure.</summary>
/// <remarks>
/// A gateway that was killed in mid-turn finds the session when it is back and goes on with it under a new run id, a few
/// seconds after it accepts connections. So nothing is submitted again while something runs, and after a first submission,
/// whether or not its acceptance was heard, not before that time is over either. The session's key is made from task and
/// generation, so whatever ends in it after we engaged in it is ours, under any run id.
/// </remarks>
internal static class GatewayRules
{
    /// <param name="session">The row of <c>sessions.describe</c>; null where the gateway knows no such session.</param>
    /// <param name="runId">Ours.</param>
    /// <param name="engaged">We have submitted the turn, or have found it running.</param>
    /// <param name="endedBefore">When the session had last ended before that, by the gateway's clock.</param>
    /// <param name="recoveryOver">The gateway has been back for so long that it would have gone on with an interrupted session.</param>
    public static GatewayStep After(JsonElement? session, string runId, bool engaged, long? endedBefore, bool recoveryOver)
    {
        var again = !engaged || recoveryOver ? GatewayStep.Submit : GatewayStep.Wait;
        if (session is not { } row)
        {
            return again;
        }

        if (row.Flag("hasActiveRun") == true || row.Text("status") is "running" or "queued" or "pending")
        {
            return GatewayStep.Wait;
        }

        var ours = row.Text("lastRunId") == runId || (engaged && row.Number("endedAt") is { } ended && ended != endedBefore);
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
