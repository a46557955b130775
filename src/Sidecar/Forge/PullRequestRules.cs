using System.Text.Json;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Forge;

/// <summary>Reads the forge's words for pull requests, and says which one is the branch's and how long to wait for the next try. Pure.</summary>
internal static class PullRequestRules
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromSeconds(30), LongestWish = TimeSpan.FromMinutes(5);

    /// <summary>Those of a list whose head is this branch of this repository: not every forge filters by head, and a fork may have a branch of that name.</summary>
    public static IEnumerable<PullRequest> OfBranch(JsonElement list, ForgeRepository repository, string branch) => list.ValueKind != JsonValueKind.Array ? []
        : list.EnumerateArray().Where(one => IsOf(one, repository, branch)).Select(Read).OfType<PullRequest>();

    /// <summary>The open one, else the first that was given: a closed or merged one is the answer too, and no reason for a second.</summary>
    public static PullRequest? Choose(IReadOnlyList<PullRequest> found) => found.FirstOrDefault(one => one.State == "open") ?? (found.Count > 0 ? found[0] : null);

    public static PullRequest? Read(JsonElement one)
    {
        if (Text(one, "html_url") is not { Length: > 0 and <= WireLimits.MaxRepo } url || !Uri.TryCreate(url, UriKind.Absolute, out var address)
            || address.Scheme is not ("https" or "http") || address.UserInfo.Length > 0 || url.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)))
        {
            return null;
        }

        var merged = Text(one, "merged_at") is { Length: > 0 } || (one.TryGetProperty("merged", out var flag) && flag.ValueKind == JsonValueKind.True);
        return new PullRequest(url, merged ? "merged" : Text(one, "state") == "open" ? "open" : "closed");
    }

    /// <summary>The pause before another try: what the forge wishes, within bounds, else twice the last one; null where the time is up by then.</summary>
    public static TimeSpan? Pause(int attempt, TimeSpan? wish, TimeSpan left)
    {
        var usual = TimeSpan.FromTicks(Math.Min(FirstPause.Ticks << Math.Min(attempt, 10), LongestPause.Ticks));
        var pause = wish is { } asked ? TimeSpan.FromTicks(Math.Clamp(asked.Ticks, usual.Ticks, LongestWish.Ticks)) : usual;
        return pause < left ? pause : null;
    }

    public static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool IsOf(JsonElement one, ForgeRepository repository, string branch)
    {
        if (one.ValueKind != JsonValueKind.Object || !one.TryGetProperty("head", out var head) || Text(head, "ref") != branch)
        {
            return false;
        }

        return head.TryGetProperty("repo", out var home) && Text(home, "full_name") is { } name
            ? name.Equals($"{repository.Owner}/{repository.Name}", StringComparison.OrdinalIgnoreCase)
            : string.Equals(Text(head, "label"), $"{repository.Owner}:{branch}", StringComparison.OrdinalIgnoreCase);
    }
}
