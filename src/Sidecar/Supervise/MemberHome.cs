using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Supervise;

/// <summary>The directory of each member below <c>supervise</c> in the state directory: its record, and a process's output.</summary>
internal sealed class MemberHome(SidecarConfig config)
{
    /// <summary>What a member is known by in its environment: this, its home, '#' and the nonce of the life.</summary>
    public const string Mark = "FLEET_MEMBER";

    /// <summary>Most bytes of one stream of a process; then the file is emptied. As much again is kept of the life before.</summary>
    public const long MostOutput = 16 * 1024 * 1024;

    private const int LargestRecord = 64 * 1024;

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

            File.Move(file, file + ".1", overwrite: true);
        }
    }

    /// <summary>Empties what has grown too long. The writer appends, so it goes on at the beginning.</summary>
    public void BoundOutput(MemberOptions member)
    {
        try
        {
            foreach (var file in new[] { Output(member), Errors(member) }.Select(path => new FileInfo(path)).Where(file => file.Exists && file.Length > MostOutput))
            {
                using var opened = file.Open(FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                opened.SetLength(0);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The next look tries again; a member is not left alone because its log is.
        }
    }

    private string Record(MemberOptions member) => Path.Combine(Directory(member), "member.json");
}
