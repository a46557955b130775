using System.Globalization;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>How often a run's steps were begun, on disk before the first step runs: a step that ends the daemon must not do so at each start.</summary>
internal sealed class VerificationStarts(string runsDirectory, string runId)
{
    // Restarts during a long verification are no fault of its steps, so there is room for some.
    private const int MaxStarts = 5, MaxFileBytes = 16;

    /// <summary>The check that stands for steps that are not begun once more.</summary>
    public static VerificationCheck Refusal { get; } = new()
    {
        Type = "verification", Status = StepRules.Fail,
        Detail = string.Create(CultureInfo.InvariantCulture, $"the steps were begun {MaxStarts} times and the sidecar ended each time before they did"),
    };

    private string File => Path.Combine(runsDirectory, runId, "verify-starts");

    /// <summary>Counts this start. False where there were too many.</summary>
    public bool TryBegin()
    {
        var known = OutsideFile.ReadInside(File, MaxFileBytes) is { } bytes
            && int.TryParse(OutsideText.Decode(bytes), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0;
        if (known >= MaxStarts)
        {
            return false;
        }

        ClearPlace.For(Path.GetDirectoryName(File)!); // The agent of this run was at home there.
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        ClearPlace.ForFile(File);
        AtomicFile.Write(File, string.Create(CultureInfo.InvariantCulture, $"{known + 1}"));
        return true;
    }
}
