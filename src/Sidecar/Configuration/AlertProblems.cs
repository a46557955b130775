using FleetSidecar.Alerts;

namespace FleetSidecar.Configuration;

/// <summary>The rules of section <c>alerts</c>.</summary>
internal static class AlertProblems
{
    private const int MostHooks = 16, LongestCommand = 4_096;

    public static IEnumerable<ConfigProblem> In(AlertsOptions alerts)
    {
        if (alerts.Timeout < TimeSpan.FromSeconds(1) || alerts.Timeout > TimeSpan.FromMinutes(1))
        {
            yield return new("alerts.timeout", "must be between 1 s and 1 min", "leave it out");
        }

        if (alerts.Hooks.Count > MostHooks)
        {
            yield return new("alerts.hooks", $"holds more than {MostHooks}", "let one of them pass the alert on");
        }

        for (var index = 0; index < alerts.Hooks.Count; index++)
        {
            if (Complaint(alerts.Hooks[index]) is { } complaint)
            {
                yield return new($"alerts.hooks[{index}]", complaint, "for example { \"command\": [\"/usr/local/bin/page-me\"] } or { \"url\": \"https://alerts.example/hook\", \"tokenFile\": \"/etc/fleet-sidecar/alert-token\" }");
            }
        }
    }

    private static string? Complaint(AlertHook? hook) => hook switch
    {
        null => "is null",
        { Command.Count: > 0, Url: not null } or { Command.Count: 0, Url: null } => "must have a command or a url, one of the two",
        { Command: { Count: > 0 } command } when !Path.IsPathFullyQualified(command[0] ?? "") || command.Any(part => part is null || part.Contains('\0', StringComparison.Ordinal)) || command.Sum(part => part.Length) > LongestCommand
            => "must have a command that begins with the absolute path of a program",
        { Url: { } text } when !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0 => "must have an http:// or https:// url without a user name",
        { TokenFile: { } file } when hook.Url is null || !Path.IsPathFullyQualified(file) => "may have a tokenFile beside a url only, with an absolute path",
        _ => null,
    };
}
