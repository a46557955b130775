using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Drain;

/// <summary>The daemon's sign of life on disk: a small file, touched while every loop keeps its word, that says whether work is let in.</summary>
/// <remarks>Its age and its words are all that the dead man's switch needs of a daemon that no longer answers; it does not open the
/// store, whose files would then be root's. Whoever closes the door writes it before the operator hears that it is closed.</remarks>
internal sealed class AliveFile(string stateDirectory, Func<IntakeState> intake, TimeProvider time)
{
    private const int Largest = 64;
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly Lock _turn = new();
    private long? _touched;
    private string _said = "";

    public static string In(string stateDirectory) => Path.Combine(stateDirectory, "alive");

    /// <summary>Writes at most every ten seconds, or when the door opens or closes.</summary>
    public void Touch()
    {
        lock (_turn)
        {
            var words = Words(intake());
            if (words == _said && _touched is { } last && time.GetElapsedTime(last) < Pause)
            {
                return;
            }

            try
            {
                if (words == _said)
                {
                    File.SetLastWriteTimeUtc(In(stateDirectory), time.GetUtcNow().UtcDateTime); // Needs no space on a full disk.
                }
                else
                {
                    OwnedFile.Write(In(stateDirectory), Encoding.UTF8.GetBytes(words + "\n"), Mode); // At one instant: a disk that is full leaves the old words.
                }

                (_said, _touched) = (words, time.GetTimestamp());
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                _said = ""; // Written anew at the next look. That the disk cannot be written, the self-test says.
            }
        }
    }

    /// <summary>How old the sign is, and its words; null where there is none.</summary>
    public static (TimeSpan Age, string Words)? Read(string stateDirectory, DateTimeOffset now) =>
        OutsideFile.Read(In(stateDirectory), Largest, followLink: false) is { } bytes
            ? (now - (PathFacts.Of(In(stateDirectory))?.Written ?? now), OutsideText.Decode(bytes).Trim())
            : null;

    private static string Words(IntakeState state) => state is { Mode: IntakeMode.Paused, UntilUnixMs: { } until }
        ? string.Create(CultureInfo.InvariantCulture, $"{IntakeRules.Word(state.Mode)} {until}") : IntakeRules.Word(state.Mode);

    /// <summary>What the words mean for work at a moment: <c>open</c>, <c>paused</c> or <c>draining</c>. A pause may have ended while there was no daemon to say so.</summary>
    public static string Meaning(string? words, long now) => words?.Split(' ') switch
    {
        ["draining"] => "draining",
        ["paused"] => "paused",
        ["paused", var until] when long.TryParse(until, NumberStyles.None, CultureInfo.InvariantCulture, out var end) && end > now => "paused",
        _ => "open",
    };
}
