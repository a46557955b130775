namespace FleetSidecar.Ground.Processes;

/// <summary>Which files a process has open, as far as this user may see it.</summary>
public static class OpenFiles
{
    /// <summary>Their names; those that have none (sockets, pipes) in the kernel's own form, see proc(5).</summary>
    public static IEnumerable<string> Of(int pid)
    {
        string[] handles;
        try
        {
            handles = Directory.GetFileSystemEntries($"/proc/{pid}/fd");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            yield break;
        }

        foreach (var handle in handles)
        {
            if (TargetOf(handle) is { } target)
            {
                yield return target;
            }
        }
    }

    private static string? TargetOf(string handle)
    {
        try
        {
            return new FileInfo(handle).LinkTarget;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
