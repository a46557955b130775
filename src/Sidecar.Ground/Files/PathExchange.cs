using System.Runtime.InteropServices;

namespace FleetSidecar.Ground.Files;

/// <summary>Exchanges two paths in one step, so that neither is ever missing. See renameat2(2).</summary>
public static partial class PathExchange
{
    private const int WorkingDirectory = -100;
    private const uint Exchange = 2;

    /// <summary>False where the file system or the C library cannot do it; both paths are then as they were.</summary>
    public static bool TryExchange(string one, string other)
    {
        try
        {
            return Rename(WorkingDirectory, one, WorkingDirectory, other, Exchange) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(int fromDirectory, string from, int toDirectory, string to, uint flags);
}
