using FleetSidecar.Protocol;
using FleetSidecar.Supervise;

namespace FleetSidecar.Control;

/// <summary>What an operator may ask about the members of <c>supervise</c>.</summary>
internal sealed class MemberVerbs(SuperviseLoop members)
{
    /// <summary>Those that somebody should look at; null while all are well.</summary>
    public IReadOnlyList<MemberView>? NotWell => members.Views.Where(member => !member.Well).ToList() is { Count: > 0 } found ? found : null;

    public async Task<ControlResponse> AnswerAsync(ControlRequest request, CancellationToken token)
    {
        switch (request.Action)
        {
            case "retry":
                break;
            case null or "list":
                return new ControlResponse { Ok = true, Members = members.Views };
            default:
                return ControlResponse.Refuse($"unknown action '{Printable.Cut(request.Action, 40)}'", "use the same version of fleet-sidecar for daemon and command line");
        }

        var name = request.Text ?? "";
        if (members.Views.All(member => member.Name != name))
        {
            return ControlResponse.Refuse($"there is no member '{Printable.Cut(name, 64)}'", "'fleet-sidecar supervise list' lists them");
        }

        if (members.Hold is { } hold)
        {
            return ControlResponse.Refuse($"nothing is restarted now: {hold}", "'fleet-sidecar resume' ends that");
        }

        return await members.RetryAsync(name, token) switch
        {
            (false, _) => ControlResponse.Refuse("too many ask at once", "try again in a moment"),
            (_, null) => ControlResponse.Refuse($"member '{name}' is neither down nor stuck nor given up", "'fleet-sidecar supervise list' shows how it is"),
            (_, { } view) => new ControlResponse { Ok = true, Members = [view] },
        };
    }
}
