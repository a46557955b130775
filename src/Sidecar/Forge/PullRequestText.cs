using System.Globalization;
using System.Text;
using System.Text.Json;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Forge;

/// <summary>Title and text of a pull request. Pure. What others wrote stands in a fence that it cannot close, where no forge makes mentions or links of it.</summary>
internal static class PullRequestText
{
    private const int LongestTitle = 120, LongestTask = 8_000, MostChecks = 50;

    /// <summary>The task's id and the first words of its description, without anything that a forge gives a meaning to.</summary>
    public static string Title(Run run)
    {
        var first = (run.Assignment.Description ?? "").Split('\n').Select(line => line.Trim()).FirstOrDefault(line => line.Length > 0) ?? "";
        var plain = new StringBuilder();
        foreach (var rune in first.EnumerateRunes().Where(rune => Rune.IsLetterOrDigit(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark || " .,;()'-+=%?".Contains(rune.ToString(), StringComparison.Ordinal)))
        {
            plain.Append(rune.ToString());
        }

        var title = string.Join(' ', plain.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return title.Length == 0 ? run.TaskId : $"{run.TaskId}: {Printable.Cut(title, LongestTitle)}";
    }

    public static string Body(Run run, RunFacts facts, string agent)
    {
        var checks = facts.Verification?.Checks ?? [];
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Opened by fleet-sidecar for a task of the fleet.\n\n| | |\n|---|---|\n| task | `{run.TaskId}` |\n| generation | {run.Generation} |\n| agent | `{agent}` |\n");
        text.Append(CultureInfo.InvariantCulture, $"| commit | `{facts.Commit}` |\n| base | `{facts.BaseCommit}` |\n| commits | {facts.CommitsAhead} |\n| verification | {facts.Verification?.Status ?? "none"} |\n");
        text.Append(facts.Diff is { } diff ? string.Create(CultureInfo.InvariantCulture, $"| change | {diff.Files} files, +{diff.Insertions} -{diff.Deletions}, {diff.DeletedFiles} deleted |\n") : "");
        if (checks.Count > 0)
        {
            text.Append("\nChecks:\n\n").Append(Fence(string.Join('\n', checks.Take(MostChecks).Select(check => Printable.Cut($"{check.Status} {check.Type} {check.Target}", 200)))));
        }

        text.Append("\nThe task, as it was given:\n\n").Append(Fence(Cut(run.Assignment.Description ?? "")));
        return text.ToString();
    }

    /// <summary>What the forge is sent.</summary>
    public static byte[] Json(string title, string body, string head, string target, ForgeOptions options)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            // Gitea knows a draft by its title.
            json.WriteString("title", options is { Draft: true, Kind: ForgeKind.Gitea } ? $"WIP: {title}" : title);
            json.WriteString("head", head);
            json.WriteString("base", target);
            json.WriteString("body", body);
            if (options is { Draft: true, Kind: ForgeKind.GitHub })
            {
                json.WriteBoolean("draft", true);
            }

            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static string Cut(string text) => text.Length <= LongestTask ? Printable.Tail(text, LongestTask) : Printable.Tail(Printable.Head(text, LongestTask), LongestTask) + "\n[…]";

    // One backtick more than the longest row of them inside.
    private static string Fence(string text)
    {
        var (longest, row) = (0, 0);
        foreach (var letter in text)
        {
            row = letter == '`' ? row + 1 : 0;
            longest = Math.Max(longest, row);
        }

        var fence = new string('`', Math.Max(3, longest + 1));
        return $"{fence}text\n{text}\n{fence}\n";
    }
}
