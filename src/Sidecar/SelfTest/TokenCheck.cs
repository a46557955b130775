using FleetSidecar.Ground;
using FleetSidecar.Link;

namespace FleetSidecar.SelfTest;

/// <summary>The token file can be read and nobody else can read it.</summary>
internal sealed class TokenCheck(TokenFile token) : ICheck
{
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute | UnixFileMode.GroupWrite;

    public string Name => "token";

    public Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken stopping) => Task.FromResult<IReadOnlyList<CheckResult>>([Look()]);

    public string? Fix()
    {
        if (Look().Status != CheckResult.Warning)
        {
            return null;
        }

        File.SetUnixFileMode(token.FilePath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return $"{token.FilePath} is now readable for its owner alone";
    }

    private CheckResult Look()
    {
        try
        {
            token.Read();
            var mode = File.GetUnixFileMode(token.FilePath);
            return (mode & Others) == 0
                ? new CheckResult(Name, CheckResult.Ok, $"{token.FilePath} holds a token that only its owner and group read")
                : new CheckResult(Name, CheckResult.Warning, $"{token.FilePath} is open to others (mode {Convert.ToString((int)mode, 8)})", "chmod 600, or 'fleet-sidecar doctor --fix'");
        }
        catch (SidecarException fault)
        {
            return new CheckResult(Name, CheckResult.Failed, fault.Message, fault.Hint);
        }
    }
}
