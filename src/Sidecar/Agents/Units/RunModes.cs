using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents.Units;

/// <summary>The modes of a run's directories: open to the group while they are the agent's, closed to everybody else when they are ours again.</summary>
/// <remarks>Done as their owner. chmod follows a link that takes a file's place in the wrong moment, and as root that would reach anything.</remarks>
internal sealed class RunModes(SidecarConfig config, ToolRunner tools)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);
    private static readonly Dictionary<string, string> Variables = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    /// <summary>Before they are given: we put files there while the agent works, as the group of what we made. What the agent makes is read as anybody would; nobody else comes this far.</summary>
    public async Task OpenAsync(string run, CancellationToken token)
    {
        foreach (var directory in Of(run))
        {
            await CallAsync(["chmod", "-R", "ug+rwX,o-w", directory], token);
        }
    }

    /// <summary>After they were taken back: whatever the agent made of them, we can look at them and remove them.</summary>
    public async Task CloseAsync(string run, CancellationToken token)
    {
        foreach (var directory in Of(run))
        {
            await CallAsync(["chmod", "-R", "u+rwX,o-rwx", directory], token);
        }
    }

    private IEnumerable<string> Of(string run) =>
        new[] { Path.Combine(config.RunsDirectory, run), Path.Combine(config.WorkspacesDirectory, run, "work") }.Where(Directory.Exists);

    // What cannot be changed, in a tree that is too deep for instance, shows where it is used.
    private async Task CallAsync(string[] command, CancellationToken token) => await tools.RunAsync(command, Variables, "/", Limit, token, room: 1000);
}
