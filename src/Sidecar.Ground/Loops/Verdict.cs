namespace FleetSidecar.Ground.Loops;

/// <summary>What the program will return. The first failure wins.</summary>
public sealed class Verdict
{
    private int _exitCode = ExitCodes.Ok;

    public int ExitCode => Volatile.Read(ref _exitCode);

    public void Fail(int exitCode) => Interlocked.CompareExchange(ref _exitCode, exitCode, ExitCodes.Ok);
}
