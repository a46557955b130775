using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace FleetSidecar.AgentStandIn;

/// <summary>OpenClaw's command line: a signal is always "ok", whatever becomes of it; a turn says how it ended.</summary>
internal static class OpenClawStandIn
{
    public static async Task<int> RunAsync(Words words) => words.All switch
    {
        ["gateway", "run", ..] => await GatewayStandIn.RunAsync(int.Parse(words.After("--port")!, CultureInfo.InvariantCulture), words.After("--token")!, State()),
        ["agent", "exec", ..] => await ExecAsync(words),
        ["agent", ..] => await AgentAsync(words),
        ["system", "event", ..] => await EventAsync(words),
        ["system", "heartbeat", "last", ..] => await HeartbeatAsync(),
        ["cron", "wake", ..] => Complain("OpenClaw cron has no command \"wake\".\nTry: openclaw cron --help"),
        _ => Complain($"OpenClaw does not recognize \"{string.Join(' ', words.All)}\"."),
    };

    private static string State() => Directory.CreateDirectory(Path.Combine(Environment.GetEnvironmentVariable("HOME")!, ".openclaw")).FullName;

    private static async Task<int> AgentAsync(Words words)
    {
        var errand = new Errand(await File.ReadAllTextAsync(words.After("--message-file")!));
        await errand.SleepAsync();
        if (errand.IsSilent)
        {
            return 0;
        }

        if (errand.Status is { } status)
        {
            Console.WriteLine($$"""
                {
                  "ok": false,
                  "runId": "57a2e42a-dc37-4e4b-98e4-283930d712fa",
                  "error": {
                    "type": "cli_error",
                    "message": "fake/fake-1 request failed (HTTP {{status}})."
                  }
                }
                """);
            return 1;
        }

        await errand.ExecAsync();
        await errand.ReportAsync();
        Console.WriteLine(GatewayStandIn.Final("57a2e42a-dc37-4e4b-98e4-283930d712fa", $"session of {words.After("--session-key")}"));
        return 0;
    }

    private static async Task<int> ExecAsync(Words words)
    {
        var errand = new Errand(await File.ReadAllTextAsync(words.After("--message-file")!));
        Directory.SetCurrentDirectory(words.After("--cwd")!);
        await errand.ExecAsync();
        await errand.ReportAsync();
        Console.WriteLine($$$$$"""{"ok":true,"status":"ok","final":{{{{{Errand.Json(Errand.Said)}}}}},"usage":{"input":1233,"output":34,"cacheRead":0,"cacheWrite":0,"total":1267},"costUsd":0.004209,"model":"fake-1","provider":"fake","sessionId":"af02db0c"}""");
        return 0;
    }

    private static async Task<int> EventAsync(Words words)
    {
        try
        {
            using var client = new HttpClient();
            using var answer = await client.PostAsJsonAsync(await GatewayAsync("event"), words.After("--text"));
        }
        catch (HttpRequestException)
        {
            // Only queued; a gateway that is away loses it, and the command says ok all the same.
        }

        Console.WriteLine("""{"ok":true}""");
        return 0;
    }

    private static async Task<int> HeartbeatAsync()
    {
        using var client = new HttpClient();
        Console.WriteLine((await client.GetFromJsonAsync<JsonElement>(await GatewayAsync("heartbeat"))).ToString());
        return 0;
    }

    private static async Task<Uri> GatewayAsync(string path) => new($"http://127.0.0.1:{await File.ReadAllTextAsync(Path.Combine(State(), "port"))}/{path}");

    private static int Complain(string text)
    {
        Console.Error.WriteLine(text);
        return 1;
    }
}
