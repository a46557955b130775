using System.Globalization;
using System.Text;
using FleetSidecar.Retention;

namespace FleetSidecar.Cli;

/// <summary>How <c>status</c> shows what is kept of settled runs, and why.</summary>
internal static class KeptOutput
{
    private const double Mebibyte = 1024 * 1024;
    private const int SecondsOfDay = 24 * 60 * 60;

    public static string Lines(RetentionView? kept)
    {
        if (kept is null)
        {
            return "";
        }

        var text = new StringBuilder();
        var oldest = kept.OldestAtUnixMs is { } at ? $", the oldest from {Output.Time(at)}" : "";
        text.AppendLine($"kept      {kept.Runs} settled runs, {Size(kept.Bytes)}{oldest}; store {Size(kept.StoreBytes)}, {Size(kept.StoreFreeBytes)} of it free");
        text.AppendLine($"          limits (section retention): {Days(kept.KeepRunsForSeconds)} days but always the newest {kept.MinRuns}, {kept.MaxRuns} runs, {Size(kept.MaxRunBytes)}");
        foreach (var held in kept.Held)
        {
            text.AppendLine($"          {held.Runs} stay whatever the limits say, {Size(held.Bytes)}: {held.Why}");
        }

        if (kept.WithoutFiles > 0)
        {
            text.AppendLine($"          {kept.WithoutFiles} have no files any more");
        }

        if (kept.NearDiskFloor)
        {
            text.AppendLine("          the disk is NEAR ITS FLOOR: files of the oldest runs are removed whatever their age");
        }

        if (kept.DamagedStoreFiles > 0)
        {
            text.AppendLine($"          {kept.DamagedStoreFiles} files of damaged stores, {Size(kept.DamagedStoreBytes)}, which only you may remove");
        }

        return text.ToString();
    }

    private static string Size(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / Mebibyte:0.#} MiB");

    private static string Days(long seconds) => string.Create(CultureInfo.InvariantCulture, $"{(double)seconds / SecondsOfDay:0.##}");
}
