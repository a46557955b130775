using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Drain;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Deadman;

/// <summary>Finds out how the daemon is, from outside: its unit, its socket, its sign of life, its files.</summary>
internal sealed class DeadmanLook(TimeProvider time)
{
    private static readonly TimeSpan SocketLimit = TimeSpan.FromSeconds(5);
    private static readonly string Refused = ExitCodes.Config.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>What is asked of the service manager.</summary>
    public static string[] Asked { get; } = ["LoadState", "UnitFileState", "ActiveState", "Result", "ExecMainStatus", "Restart", "Environment"];

    /// <returns>The facts, which configuration the daemon says is in force (null where it says nothing), and its last words about its door.</returns>
    public async Task<(DeadmanFacts Facts, string? InForce, string? Door)> AtAsync(DeadmanScene scene, IReadOnlyDictionary<string, string>? shown, string? door, DateTimeOffset now, CancellationToken token)
    {
        string Of(string property) => shown?.GetValueOrDefault(property) ?? "";
        var (loaded, running) = (Of("LoadState") is "loaded" or "masked", Of("ActiveState") == "active");
        var alive = AliveFile.Read(scene.Config.StateDirectory, now);
        var status = loaded && running ? await AskAsync(scene.Config.SocketFile, token) : null;

        // What root can read and the daemon's user cannot, or what is wrong only over there, shows in the exit code alone.
        var problem = scene.Problem
            ?? (Of("Result") == "exit-code" && Of("ExecMainStatus") == Refused && scene.Good is { IsUsable: true, Differs: true } ? $"the daemon ended with {Refused}, and its files are not those with which it was well" : null);
        door = alive?.Words ?? door;
        return (new DeadmanFacts
        {
            RestartsAlways = Of("Restart") == "always", ExitStatus = Of("Result") == "exit-code" ? Of("ExecMainStatus") : "",
            UnitLoaded = loaded, Enrolled = scene.IsEnrolled, ActiveState = Of("ActiveState"), Result = Of("Result"), UnitFileState = Of("LoadState") == "masked" ? "masked" : Of("UnitFileState"),
            Answers = !loaded || !running || status is not null, AliveAge = alive?.Age, Intake = AliveFile.Meaning(door, now.ToUnixTimeMilliseconds()), ConfigProblem = problem, HasLastGood = problem is not null && scene.Good.IsUsable,
        }, status?.ConfigFingerprint, door);
    }

    private async Task<StatusView?> AskAsync(string socket, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, SocketLimit);
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
