using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Sockets;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Alerts;

/// <summary>Tells every hook, each within its time; what fails is logged and stops nobody else. Text is cut and redacted.</summary>
internal sealed partial class AlertHooks(AlertsOptions options, ToolRunner tools, Redactor redactor, TimeProvider time, ILogger<AlertHooks> log)
{
    private const int LongestText = 1000, LargestToken = 4096, MostKept = 4096;
    private static readonly string[] Passed = ["PATH", "HOME", "LANG"];

    /// <returns>How many hooks took it.</returns>
    public async Task<int> SendAsync(AlertMessage alert, CancellationToken token)
    {
        alert = alert with { Message = Tidy(alert.Message), Hint = Tidy(alert.Hint) };
        var body = JsonSerializer.SerializeToUtf8Bytes(alert, AlertJson.Default.AlertMessage);
        var complaints = await Task.WhenAll(options.Hooks.Select(hook => TryAsync(hook, body, token)));
        foreach (var (hook, complaint) in options.Hooks.Zip(complaints).Where(one => one.Second is not null))
        {
            LogHookFailed(NameOf(hook), alert.Rule, complaint!);
        }

        return complaints.Count(complaint => complaint is null);
    }

    private async Task<string?> TryAsync(AlertHook hook, byte[] body, CancellationToken token)
    {
        try
        {
            return hook.Command.Count > 0 ? await RunAsync(hook.Command, body, token) : await PostAsync(hook, body, token);
        }
        catch (Exception fault) when (fault is SidecarException or IOException or HttpRequestException or UnauthorizedAccessException or InvalidOperationException
            || (fault is OperationCanceledException && !token.IsCancellationRequested))
        {
            return Tidy(fault is OperationCanceledException ? $"no answer within {options.Timeout}" : fault.Message);
        }
    }

    private async Task<string?> RunAsync(IReadOnlyList<string> command, byte[] body, CancellationToken token)
    {
        var environment = Passed.Select(name => (name, Value: Environment.GetEnvironmentVariable(name))).Where(one => one.Value is not null).ToDictionary(one => one.name, one => one.Value!);
        var outcome = await tools.RunAsync(command, environment, "/", options.Timeout, token, linger: TimeSpan.FromSeconds(1), room: MostKept, input: Encoding.UTF8.GetString(body) + "\n", ownSession: true);
        return outcome.Ok ? null : outcome.TimedOut ? $"no end within {options.Timeout}" : $"ended with {outcome.ExitCode}";
    }

    private async Task<string?> PostAsync(AlertHook hook, byte[] body, CancellationToken token)
    {
        using var http = new HttpClient(OneOrigin.OutsideHandler(new Uri(hook.Url!))) { Timeout = Timeout.InfiniteTimeSpan };
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, options.Timeout);
        using var request = new HttpRequestMessage(HttpMethod.Post, hook.Url) { Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
        if (hook.TokenFile is { } file)
        {
            var secret = OutsideFile.Read(file, LargestToken, followLink: true) is { } bytes ? OutsideText.Decode(bytes).Trim() : "";
            if (secret.Length == 0 || secret.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)))
            {
                return $"the token file {file} cannot be read or does not hold one token";
            }

            redactor.Learn(secret);
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secret);
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limited.Token);
        if (OneOrigin.RedirectionOf(response.StatusCode, new Uri(hook.Url!), response.Headers.Location?.OriginalString) is { } elsewhere)
        {
            return $"{elsewhere.Words}, which is not followed";
        }

        return response.IsSuccessStatusCode ? null : $"answered {(int)response.StatusCode}";
    }

    private string Tidy(string text) => Printable.Cut(redactor.Clean(text).ReplaceLineEndings(" "), LongestText);

    // Not the whole address: people put secrets into its path.
    private static string NameOf(AlertHook hook) => hook.Command.Count > 0 ? hook.Command[0] : Uri.TryCreate(hook.Url, UriKind.Absolute, out var url) ? url.Host : "hook";

    [LoggerMessage(EventIds.AlertHookFailed, LogLevel.Warning, "the alert hook {Hook} did not take {Rule}: {Reason}; the others are told all the same", EventName = "AlertHookFailed")]
    private partial void LogHookFailed(string hook, string rule, string reason);
}
