using System.Globalization;
using System.Text;
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
        var wanted = Encoding.UTF8.GetBytes($"{UpstreamRepository.Mark}={paths.Home}\0");
        var began = time.GetTimestamp();
        while (Carrying(wanted) is { Count: > 0 } left)
        {
            left.ForEach(pid => Signals.ToProcess(pid, Signals.Kill));
            if (time.GetElapsedTime(began) > Patience)
            {
                throw new SidecarException($"process {left[0]} of a sync that was killed does not end", "look at what it waits for (a hung disk?)");
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

    private static List<int> Carrying(byte[] wanted) => [.. Directory.EnumerateDirectories("/proc")
        .Select(path => Path.GetFileName(path)!)
        .Where(name => char.IsAsciiDigit(name[0]) && name != Environment.ProcessId.ToString(CultureInfo.InvariantCulture) && Carries(name, wanted))
        .Select(name => int.Parse(name, CultureInfo.InvariantCulture))];

    private static bool Carries(string pid, byte[] wanted)
    {
        try
        {
            return File.ReadAllBytes($"/proc/{pid}/environ").AsSpan().IndexOf(wanted) >= 0;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
