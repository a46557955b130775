using System.Globalization;
using System.Text;

namespace FleetSidecar.Ground.Processes;

/// <summary>Finds processes by what they were started with in their environment, as far as this user may see it.</summary>
/// <remarks>Children inherit a variable unless they are started without; a process that rewrites its own memory is not found.</remarks>
public static class ProcessEnvironments
{
    /// <summary>Every live process that was started with this text in its environment, oldest first.</summary>
    /// <param name="text"><c>NAME=value</c>, with a NUL at the end where the whole value is meant.</param>
    public static List<ProcessIdentity> Carrying(string text)
    {
        var wanted = Encoding.UTF8.GetBytes(text);
        return [.. Directory.EnumerateDirectories("/proc")
            .Select(path => int.TryParse(Path.GetFileName(path.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
            .Where(pid => pid > 0 && Carries(pid, wanted))
            .Select(ProcessIdentity.Of)
            .OfType<ProcessIdentity>()
            .OrderBy(process => process.StartTicks).ThenBy(process => process.Pid)];
    }

    /// <summary>True where a process was started with a text in its environment.</summary>
    public static bool Carries(int pid, ReadOnlySpan<byte> wanted) => Read(pid).AsSpan().IndexOf(wanted) >= 0;

    /// <summary>The value of a variable that a process was started with, or null.</summary>
    public static string? Value(int pid, string name) => Encoding.UTF8.GetString(Read(pid)).Split('\0')
        .FirstOrDefault(variable => variable.StartsWith($"{name}=", StringComparison.Ordinal))?[(name.Length + 1)..];

    private static byte[] Read(int pid) => PatientReader.Read(pid, $"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/environ");
}
