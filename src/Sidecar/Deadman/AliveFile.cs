using System.Text;
using FleetSidecar.Drain;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Deadman;

/// <summary>The daemon's sign of life on disk: a small file, touched while every loop keeps its word, that says whether work is let in.</summary>
/// <remarks>Its age and its word are all that the dead man's switch needs of a daemon that no longer answers; it does not open the
/// store, whose files would then be root's.</remarks>
internal sealed class AliveFile(string stateDirectory, Func<IntakeMode> intake, TimeProvider time)
{
    private const int Largest = 64;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private long? _touched;
    private string _said = "";

    public static string In(string stateDirectory) => Path.Combine(stateDirectory, "alive");

    /// <summary>At most every ten seconds, or when the door opens or closes.</summary>
    public void Touch()
    {
        var word = IntakeRules.Word(intake());
        if (word == _said && _touched is { } last && time.GetElapsedTime(last) < Pause)
        {
            return;
        }

        try
        {
            if (word == _said)
            {
                File.SetLastWriteTimeUtc(In(stateDirectory), time.GetUtcNow().UtcDateTime); // Needs no space on a full disk.
            }
            else
            {
                File.WriteAllText(In(stateDirectory), word + "\n");
            }

            (_said, _touched) = (word, time.GetTimestamp());
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            _said = ""; // Written anew at the next look. That the disk cannot be written, the self-test says.
        }
    }

    /// <summary>How old the sign is and what it says; null where there is none.</summary>
    public static (TimeSpan Age, string Intake)? Read(string stateDirectory, DateTimeOffset now) =>
        OutsideFile.Read(In(stateDirectory), Largest, followLink: false) is { } bytes
            ? (now - new DateTimeOffset(File.GetLastWriteTimeUtc(In(stateDirectory)), TimeSpan.Zero), Encoding.UTF8.GetString(bytes).Trim())
            : null;
}
