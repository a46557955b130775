namespace FleetSidecar.Bench;

/// <summary>How the rounds of a series follow each other. A machine that is kept spinning is faster than one that waits for work, so every
/// figure is measured both ways, and the floor with it.</summary>
internal static class Pace
{
    public static readonly TimeSpan BackToBack = TimeSpan.Zero, Paced = TimeSpan.FromMilliseconds(10);

    public static string Name(TimeSpan pause) => pause == TimeSpan.Zero ? "back to back" : $"{pause.TotalMilliseconds:0} ms apart";

    public static Task WaitAsync(TimeSpan pause) => pause == TimeSpan.Zero ? Task.CompletedTask : Task.Delay(pause, TimeProvider.System);
}
