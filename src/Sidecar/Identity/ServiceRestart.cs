using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Identity;

/// <summary>A command of <c>identity.restart</c> that failed: the tree goes back.</summary>
internal sealed class RestartFailedException(string command, string why)
    : SidecarException($"restart_failed: '{command}' {why}", "look at that service; the tree was taken back to the version before, and its services were started again")
{
    /// <summary>The same, where they did not start on the version before either.</summary>
    public SidecarException Twice(IEnumerable<string> again) =>
        new($"{Message}; the tree is back at the version before, and there too {string.Join("; ", again)}", "look at that service now: it may be down", this);
}

/// <summary>Restarts what runs from the tree, after it was verified.</summary>
internal sealed class ServiceRestart(SidecarConfig config, IdentityPaths paths, ToolRunner tools)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private const int MostKept = 64 * 1024;

    // A service that the command started may keep its output open; nobody waits for that longer than this.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(2);
    private static readonly Redactor Redactor = new();
    private static readonly string[] Passed = ["PATH", "HOME", "USER", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

    /// <exception cref="RestartFailedException">The first that did not end with 0.</exception>
    public async Task RunAsync(CancellationToken token)
    {
        foreach (var command in config.Identity.Restart)
        {
            var environment = Passed.Select(name => (name, Value: Environment.GetEnvironmentVariable(name))).Where(one => one.Value is not null).ToDictionary(one => one.name, one => one.Value!);
            try
            {
                var outcome = await tools.RunAsync(command, environment, "/", Limit, token, Linger, ownSession: true);
                if (!outcome.Ok)
                {
                    throw new RestartFailedException(command[0], $"{(outcome.TimedOut ? $"did not end within {Limit}" : $"ended with {outcome.ExitCode}")}{Keep(outcome)}");
                }
            }
            catch (SpawnException fault)
            {
                throw new RestartFailedException(command[0], $"could not be started: {fault.Message}");
            }
        }
    }

    // Programs print what they were given, passwords too: their words go into no log and to no hub.
    private string Keep(ToolOutcome outcome)
    {
        var said = Redactor.Clean($"{outcome.Last.Output}\n{outcome.Last.Error}".Trim());
        try
        {
            OwnedFile.Write(paths.RestartLog, System.Text.Encoding.UTF8.GetBytes(Printable.End(said, MostKept)), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            return $"; what it said is in {paths.RestartLog}";
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
