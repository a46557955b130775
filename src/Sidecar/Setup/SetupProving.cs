using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Ground;
using FleetSidecar.Protocol;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Setup;

/// <summary>Shows that the machine works: the daemon answers, is linked and takes work; its own self-test; a task from the hub and back.</summary>
internal sealed class SetupProving(SetupRequest request, HubDesk desk, TimeProvider time, Action<string, string> say)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    /// <exception cref="SidecarException">It did not come so far within the time; the last thing that was in the way.</exception>
    public async Task WaitForDaemonAsync(SidecarConfig config, bool managed, CancellationToken token)
    {
        var began = time.GetTimestamp();
        var seen = "";
        while (true)
        {
            SidecarException? away = null;
            string state;
            try
            {
                var status = (await ControlClient.AskAsync(config.SocketFile, new ControlRequest { Verb = "status" }, token)).Status;
                state = status is null ? "the daemon is of another version"
                    : status.Agent != config.Agent.Id || status.Hub.Url != config.Hub.Url ? $"a daemon with another configuration runs here ({status.Agent} at {status.Hub.Url}); restart it"
                    : status.Hub.State != "up" ? $"hub {status.Hub.State}: {status.Hub.Detail}"
                    : !status.Available ? $"no work taken yet: {status.UnavailableReason ?? "the first self-test runs"}"
                    : "";
            }
            catch (DaemonUnavailableException fault)
            {
                (state, away) = ("waiting for the daemon", fault);
            }

            if (state.Length == 0)
            {
                say("link", $"up, and work is taken, after {time.GetElapsedTime(began).TotalSeconds:0.0} s");
                return;
            }

            if (state != seen)
            {
                say("wait", state);
            }

            seen = state;
            if (time.GetElapsedTime(began) > request.Wait)
            {
                throw away is not null ? new DaemonUnavailableException($"{away.Message}, for {request.Wait.TotalSeconds:0} s",
                        managed ? "'journalctl -u fleet-sidecar' says why" : $"everything is written; start it with 'fleet-sidecar run --config {request.ConfigFile}' and run setup again to prove it", away)
                    : new SidecarException($"after {request.Wait.TotalSeconds:0} s: {state}", "'fleet-sidecar doctor' says what to do about it; then run setup again");
            }

            await Task.Delay(Look, time, token);
        }
    }

    public async Task<DoctorReport> LookAsync(SidecarConfig config, CancellationToken token)
    {
        var response = await ControlClient.AskAsync(config.SocketFile, new ControlRequest { Verb = "doctor" }, token);
        var report = response.Doctor ?? throw new SidecarException(response.Error ?? "doctor gave no answer", response.Hint ?? "run 'fleet-sidecar doctor'");
        foreach (var check in report.Checks)
        {
            say(check.Status == CheckResult.Ok ? "ok" : check.Status.ToUpperInvariant(), $"{check.Name}: {check.Detail}{(check.Hint is { } hint ? $"; {hint}" : "")}");
        }

        return report;
    }

    /// <summary>Has the hub send a task to this agent and follows it to its end.</summary>
    public async Task<SetupProof> ProveAsync(string secret, Action<SetupProof> sofar, CancellationToken token)
    {
        var began = time.GetTimestamp();
        var task = await desk.ProveAsync(secret, token);
        say("proof", $"{task.Id} is on its way{(request.WakeAgent ? "; it wakes the agent, which costs tokens" : "; a no-op, no model is asked")}");
        var shown = 0;
        while (true)
        {
            var events = task.History?.OrderBy(one => one.Timestamp).ToList() ?? [];
            foreach (var one in events.Skip(shown))
            {
                say("proof", one.Event);
            }

            shown = Math.Max(shown, events.Count);
            var proof = new SetupProof(task.Id, task.Status, Math.Round(time.GetElapsedTime(began).TotalSeconds, 2), request.WakeAgent);
            sofar(proof);
            if (task.IsOver)
            {
                return task.Status == "completed" ? proof
                    : throw new SidecarException($"the proof {task.Id} ended as {task.Status}: {Printable.Cut(task.LastError ?? "no reason given", 300)}", $"'fleet-sidecar logs {task.Id}' shows what happened");
            }

            if (time.GetElapsedTime(began) > request.Wait)
            {
                throw new SidecarException($"the proof {task.Id} is {task.Status} after {request.Wait.TotalSeconds:0} s", "'fleet-sidecar status' shows where it is; a longer --wait lets it end");
            }

            await Task.Delay(Look, time, token);
            task = await desk.ShowAsync(secret, task.Id, token);
        }
    }
}
