using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using Microsoft.Win32.SafeHandles;

namespace FleetSidecar.Supervise;

/// <summary>The directory of each member below <c>supervise</c> in the state directory: its record, and a process's output.</summary>
internal sealed class MemberHome(SidecarConfig config)
{
    /// <summary>What a member is known by in its environment: this, its home, '#' and the nonce of the life.</summary>
    public const string Mark = "FLEET_MEMBER";

    /// <summary>Most bytes of one stream of a process; then the file is emptied. As much again is kept of the life before.</summary>
    public const long MostOutput = 16 * 1024 * 1024;

    private const int LargestRecord = 64 * 1024, MostNames = 100;

    public string Directory(MemberOptions member) => Path.Combine(config.StateDirectory, "supervise", member.Name);

    public string Output(MemberOptions member) => Path.Combine(Directory(member), "stdout");

    public string Errors(MemberOptions member) => Path.Combine(Directory(member), "stderr");

    /// <summary>The beginning of the variable that every life of a member carries.</summary>
    public string MarkOf(MemberOptions member) => $"{Mark}={Directory(member)}#";

    /// <summary>Null where there is none, or none that can be read: what lives is then found by its mark.</summary>
    public MemberRecord? Read(MemberOptions member) =>
        OutsideFile.Read(Record(member), LargestRecord, followLink: false) is { } bytes
            && OutsideJson.Read(bytes, SuperviseJson.Default.MemberRecord) is { Starts: not null, Reported: not null } record ? record : null;

    /// <exception cref="IOException">It is not on disk.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void Write(MemberOptions member, string record)
    {
        System.IO.Directory.CreateDirectory(Directory(member));
        ClearPlace.ForFile(Record(member));
        AtomicFile.Write(Record(member), record);
    }

    /// <summary>Puts the output of the last life aside, so that the new one begins with empty files.</summary>
    public void TurnOutput(MemberOptions member)
    {
        foreach (var file in new[] { Output(member), Errors(member) })
        {
            ClearPlace.ForFile(file + ".1");
            if (ClearPlace.ForFile(file) is not null || !File.Exists(file))
            {
                continue;
            }

            FileRename.Over(file, file + ".1");
        }
    }

    /// <summary>Empties what has grown too long, whatever name the member gave it since, and also where it has none any more. The writer appends, so it goes on at the beginning.</summary>
    public void BoundOutput(MemberOptions member)
    {
        try
        {
            var directory = Directory(member);
            var others = System.IO.Directory.Exists(directory) ? System.IO.Directory.EnumerateFiles(directory).Take(MostNames).Where(path => !path.EndsWith(".1", StringComparison.Ordinal)) : [];
            foreach (var path in others.Prepend(Errors(member)).Prepend(Output(member)))
            {
                if (PathFacts.Of(path) is { Kind: PathKind.File, Length: > MostOutput })
                {
                    using var file = OutsideFile.OpenToChange(path);
                    Empty(file);
                }
            }

            // The stream itself, whatever its name is by now.
            if (Read(member)?.Pid is { } pid)
            {
                foreach (var stream in new[] { $"/proc/{pid}/fd/1", $"/proc/{pid}/fd/2" }.Where(stream => IsOurs(stream, RealPath.Of(directory) ?? directory)))
                {
                    using var file = OutsideFile.OpenBehindLinks(stream, toChange: true);
                    Empty(file);
                }
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The next look tries again; a member is not left alone because its log is.
        }
    }

    // Also one that was removed, which takes its room all the same. What the member opened itself elsewhere is its own affair.
    private static bool IsOurs(string stream, string directory) => new FileInfo(stream).LinkTarget is { } target && target.StartsWith($"{directory}/", StringComparison.Ordinal);

    private static void Empty(SafeFileHandle? file)
    {
        // A pipe has no length.
        if (file is { IsInvalid: false } && PathFacts.Opened((int)file.DangerousGetHandle()) is { Kind: PathKind.File, Length: > MostOutput })
        {
            RandomAccess.SetLength(file, 0);
        }
    }

    private string Record(MemberOptions member) => Path.Combine(Directory(member), "member.json");
}
