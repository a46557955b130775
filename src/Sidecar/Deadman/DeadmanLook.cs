using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Drain;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Systemd;

namespace FleetSidecar.Deadman;

/// <summary>Finds out how the daemon is, from outside: its unit, its socket, its sign of life, its files.</summary>
internal sealed class DeadmanLook(ServiceUnit units, TimeProvider time)
{
    private static readonly TimeSpan SocketLimit = TimeSpan.FromSeconds(5);
    private static readonly string Refused = ExitCodes.Config.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <returns>The facts, and which configuration the daemon says is in force; null where it says nothing.</returns>
    public async Task<(DeadmanFacts Facts, string? InForce)> AtAsync(DeadmanScene scene, string unit, DateTimeOffset now, CancellationToken token)
    {
        var shown = await units.ShowAsync(unit, token, "LoadState", "UnitFileState", "ActiveState", "Result", "ExecMainStatus");
        string Of(string property) => shown?.GetValueOrDefault(property) ?? "";
        var (loaded, running) = (Of("LoadState") is "loaded" or "masked", Of("ActiveState") == "active");
        var alive = AliveFile.Read(scene.Config.StateDirectory, now);
        var status = loaded && running ? await AskAsync(scene.Config.SocketFile, token) : null;

        // What root can read and the daemon's user cannot, or what is wrong only over there, shows in the exit code alone.
        var problem = scene.Problem
            ?? (Of("Result") == "exit-code" && Of("ExecMainStatus") == Refused && scene.Good is { IsUsable: true, Differs: true } ? $"the daemon ended with {Refused}, and its files are not those with which it was well" : null);
        return (new DeadmanFacts
        {
            UnitLoaded = loaded, Enrolled = scene.IsEnrolled, ActiveState = Of("ActiveState"), Result = Of("Result"), UnitFileState = Of("LoadState") == "masked" ? "masked" : Of("UnitFileState"),
            Answers = !loaded || !running || status is not null, AliveAge = alive?.Age, Intake = alive?.Intake ?? "open", ConfigProblem = problem, HasLastGood = problem is not null && scene.Good.IsUsable,
        }, status?.ConfigFingerprint);
    }

    private async Task<StatusView?> AskAsync(string socket, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CreateTimer(_ => limited.Cancel(), null, SocketLimit, Timeout.InfiniteTimeSpan);
        try
        {
            return (await ControlClient.AskAsync(socket, new ControlRequest { Verb = "status" }, limited.Token)).Status;
        }
        catch (Exception fault) when (fault is DaemonUnavailableException || (fault is OperationCanceledException && !token.IsCancellationRequested))
        {
            return null;
        }
    }
}
