using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Identity;

/// <summary>Ends what a killed sync left running: a git goes on writing the tree after its parent is gone, and nobody may recover under it.</summary>
internal static class Leftovers
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(10), Patience = TimeSpan.FromSeconds(30);

    /// <summary>Call with the lock: then whatever carries our mark is nobody's any more.</summary>
    public static async Task EndAsync(IdentityPaths paths, TimeProvider time, CancellationToken token)
    {
        var wanted = $"{UpstreamRepository.Mark}={paths.Home}\0";
        var began = time.GetTimestamp();
        while (Others(wanted) is { Count: > 0 } left)
        {
            left.ForEach(process => Signals.ToProcess(process.Pid, Signals.Kill));
            if (time.GetElapsedTime(began) > Patience)
            {
                throw new SidecarException($"process {left[0].Pid} of a sync that was killed does not end", "look at what it waits for (a hung disk?)");
            }

            await Task.Delay(Look, time, token);
        }

        if (Directory.Exists(paths.Looks))
        {
            foreach (var file in Directory.GetFiles(paths.Looks).Where(file => !Directory.Exists($"/proc/{Path.GetFileName(file).Split('-')[0]}")))
            {
                File.Delete(file);
            }
        }
    }

    // Whoever looks is not left over.
    private static List<ProcessIdentity> Others(string wanted) => [.. ProcessEnvironments.Carrying(wanted).Where(process => process.Pid != Environment.ProcessId)];
}
