using System.Text;

namespace FleetSidecar.Testing;

/// <summary>Looks at processes that are not ours to hold.</summary>
public static class LiveProcess
{
    /// <summary>True while a process runs; a zombie that nobody has reaped yet does not.</summary>
    public static bool Exists(string pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..][0] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Pids of the processes that have a text in their environment.</summary>
    public static IEnumerable<string> With(string text)
    {
        var wanted = Encoding.UTF8.GetBytes(text);
        foreach (var directory in Directory.GetDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            var found = false;
            try
            {
                found = File.ReadAllBytes($"{directory}/environ").AsSpan().IndexOf(wanted) >= 0;
            }
            catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
            {
            }

            if (found)
            {
                yield return Path.GetFileName(directory);
            }
        }
    }
}
