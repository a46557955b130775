using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;

namespace FleetSidecar;

/// <summary>Gives the daemon its own directories and files back where somebody took its rights from them. Without systemd an agent is
/// the same user: one <c>chmod</c>, by an agent that tidies up, would close the machine for good.</summary>
/// <remarks>Modes alone, of what lies in the state directory itself and belongs to this user. What is below has its own answers: a
/// mirror is replaced, a workspace is kept, a run fails.</remarks>
internal static class OwnModes
{
    private const UnixFileMode Use = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>A look costs one call for each entry. What cannot be changed stays, and whoever needs it says so.</summary>
    public static void Restore(SidecarConfig config)
    {
        if (config.AgentsInUnits)
        {
            return; // They are another user, and what lies there may be lent to them.
        }

        GiveBack(config.StateDirectory);
        StateModes.MakeAgain(config);
        try
        {
            foreach (var entry in Directory.EnumerateFileSystemEntries(config.StateDirectory))
            {
                GiveBack(entry);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>The same for one of them.</summary>
    public static void GiveBack(string path)
    {
        if (PathFacts.Of(path) is not { Kind: PathKind.Directory or PathKind.File } facts || facts.Owner != UnixAccounts.Self)
        {
            return;
        }

        var wanted = facts.Mode | (facts.Kind == PathKind.Directory ? PrivateDirectory.Mode : Use);
        if (wanted == facts.Mode)
        {
            return;
        }

        try
        {
            File.SetUnixFileMode(path, wanted);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }
}
