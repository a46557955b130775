using System.ComponentModel;
using System.Runtime.InteropServices;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Processes;

/// <summary>Gives root's rights up for the rest of a process.</summary>
/// <remarks>SQLite removes files that a journal beside a database names, and other libraries follow what they find as well. Root must therefore
/// open no file of another user as root.</remarks>
public static partial class UserChange
{
    /// <summary>Where this process is root's and the directory is another user's, the process is that user's from now on, with that user's group alone.</summary>
    /// <returns>Whether it is another user's process now; <see cref="TrustedPath.IsRoot"/> says what it was at its start.</returns>
    /// <exception cref="SidecarException">The kernel does not let it, or the user's group would be root's.</exception>
    public static bool BecomeOwnerOf(string directory)
    {
        if (!TrustedPath.IsRoot || PathFacts.Of($"{directory}/.") is not { Owner: not 0 } owned)
        {
            return false;
        }

        var group = UnixAccounts.GroupOf(owned.Owner) ?? owned.Group;
        if (group == 0)
        {
            throw new SidecarException($"{directory} belongs to {UnixAccounts.NameOf(owned.Owner)}, whose group is root's or is not known", "give the directory to a user that this machine knows, with a group of its own");
        }

        // The groups first: afterwards there are no rights left to change them. The library changes all threads.
        if (SetGroups(0, 0) != 0 || SetGroup(group) != 0 || SetUser(owned.Owner) != 0)
        {
            throw new SidecarException($"{directory} belongs to {UnixAccounts.NameOf(owned.Owner)}, and this process cannot become that user: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}",
                $"run it as that user: runuser -u {UnixAccounts.NameOf(owned.Owner)} -- COMMAND");
        }

        return true;
    }

    [LibraryImport("libc", EntryPoint = "setgroups", SetLastError = true)]
    private static partial int SetGroups(nuint count, nint groups);

    [LibraryImport("libc", EntryPoint = "setgid", SetLastError = true)]
    private static partial int SetGroup(uint group);

    [LibraryImport("libc", EntryPoint = "setuid", SetLastError = true)]
    private static partial int SetUser(uint user);
}
