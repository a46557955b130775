using System.CommandLine;
using System.Runtime.InteropServices;
using FleetSidecar.Agents.OpenClaw;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Cli;

/// <summary><c>fleet-sidecar agent-turn openclaw</c>: what a recorder starts in place of an agent program where the agent is reached over a socket. It outlives the sidecar as any agent does.</summary>
internal static class AgentTurnCommand
{
    private const int LargestToken = 4096, LargestMessage = 1024 * 1024;

    // With the abort that follows it, less than the grace between TERM and KILL.
    private static readonly TimeSpan AbortHeard = TimeSpan.FromSeconds(1.5);

    public static Command Create()
    {
        var gateway = new Option<string>("--gateway") { Description = "Address of the gateway", HelpName = "URL", Required = true };
        var agent = new Option<string>("--agent") { Description = "Which of its agents", HelpName = "ID", Required = true };
        var session = new Option<string>("--session-key") { Description = "Key of the session, made from task and generation", HelpName = "KEY", Required = true };
        var idempotency = new Option<string>("--idempotency-key") { Description = "Key of the attempt; default: the session's", HelpName = "KEY" };
        var message = new Option<string>("--message-file") { Description = "File with what the agent is told", HelpName = "FILE", Required = true };
        var timeout = new Option<int>("--timeout") { Description = "Seconds for the whole turn", HelpName = "N", Required = true };
        var token = new Option<string>("--token-file") { Description = "File with the gateway's token alone", HelpName = "FILE" };
        var openclaw = new Command("openclaw", "Have OpenClaw's gateway do one turn and print its record.") { gateway, agent, session, idempotency, message, timeout, token };
        openclaw.SetAction(async (arguments, stopping) => await RunAsync(
            new GatewayCall(
                Address(arguments.GetValue(gateway)!), arguments.GetValue(token) is { } file ? Read(file, LargestToken).Trim() : null, arguments.GetValue(agent)!, arguments.GetValue(session)!,
                arguments.GetValue(idempotency) ?? arguments.GetValue(session)!, Read(arguments.GetValue(message)!, LargestMessage), TimeSpan.FromSeconds(arguments.GetValue(timeout))),
            TimeProvider.System, stopping));
        var noop = new Command("noop", "Play the agent of a no-op task.");
        noop.SetAction(async (_, stopping) => await TaskCommands.SendAsync("start", null, null, stopping) is var code and not ExitCodes.Ok
            ? code : await TaskCommands.SendAsync("complete", "no-op: hub, store, launcher, socket and outbox work", null, stopping));
        return new Command("agent-turn", "Used by the sidecar itself.") { openclaw, noop }.Hide();
    }

    private static async Task<int> RunAsync(GatewayCall call, TimeProvider time, CancellationToken stopping)
    {
        using var give = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var turn = new GatewayTurn(call, line => Terminal.WriteRaw(line + "\n"), time);
        var end = new TaskCompletionSource<GatewayRecord>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var late = time.CreateTimer(_ => end.TrySetResult(GatewayRecord.TimedOut(call.IdempotencyKey, call.TimeLimit)), null, call.TimeLimit, Timeout.InfiniteTimeSpan);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        var running = turn.RunAsync(give.Token);
        if (await Task.WhenAny(running, end.Task) != running)
        {
            // The turn is in the gateway, not here: ending this process alone would leave it working.
            if (await turn.AbortAsync() && await Task.WhenAny(running, Task.Delay(AbortHeard, time, CancellationToken.None)) != running)
            {
                await turn.AbortAnywayAsync();
            }

            await give.CancelAsync();
        }

        GatewayRecord record;
        try
        {
            record = await running;
            record = end.Task.IsCompletedSuccessfully && record.ExitCode != 0 ? await end.Task : record;
        }
        catch (OperationCanceledException) when (give.IsCancellationRequested)
        {
            record = end.Task.IsCompletedSuccessfully ? await end.Task : GatewayRecord.Stopped(call.IdempotencyKey);
        }

        Terminal.WriteRaw(record.Line + "\n");
        return record.ExitCode;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            end.TrySetResult(GatewayRecord.Stopped(call.IdempotencyKey));
        }
    }

    private static Uri Address(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "ws" or "wss"
        ? address
        : throw new UsageException($"'{text}' is no ws:// or wss:// address", "for example ws://127.0.0.1:18789");

    private static string Read(string path, int most) => OutsideFile.Read(path, most, followLink: true) is { } bytes
        ? OutsideText.Decode(bytes)
        : throw new SidecarException($"cannot read {path}", "let the agent's user read it; it may have 4 KiB as a token, 1 MiB as a message");

    private static Command Hide(this Command command)
    {
        command.Hidden = true;
        return command;
    }
}
