namespace FleetSidecar.AgentStandIn;

/// <summary>Claude Code: session ids are used once, denied tools and an interrupted turn end with exit code 0.</summary>
internal static class ClaudeStandIn
{
    public static async Task<int> RunAsync(Words words)
    {
        var prompt = await Errand.FromInputAsync();
        if (!words.Has("-p") || prompt.Length == 0)
        {
            return Refuse("Error: Input must be provided either through stdin or as a prompt argument when using --print");
        }

        if (words.After("--output-format") != "stream-json" || !words.Has("--verbose"))
        {
            return Refuse("Error: When using --print, --output-format=stream-json requires --verbose");
        }

        var session = Guid.Parse(words.After("--session-id") ?? "").ToString();
        var used = Path.Combine(Environment.GetEnvironmentVariable("HOME")!, ".claude", session);
        if (File.Exists(used))
        {
            return Refuse($"Error: Session ID {session} is already in use.");
        }

        Directory.CreateDirectory(Path.GetDirectoryName(used)!);
        await File.WriteAllTextAsync(used, "");
        var errand = new Errand(prompt);
        if (errand.IsSilent)
        {
            return 0;
        }

        Console.WriteLine($$"""{"type":"system","subtype":"init","session_id":"{{session}}","model":"claude-opus-5-5"}""");
        await errand.SleepAsync();
        if (errand.Status is { } status)
        {
            Console.WriteLine(Result(session, isError: true, status, $"API Error: {status} fake failure {status}", "", tokens: false));
            return 1;
        }

        var mayRun = words.After("--permission-mode") == "bypassPermissions";
        if (mayRun)
        {
            await errand.ExecAsync();
        }

        Console.WriteLine(Result(session, isError: false, null, Errand.Said, errand.Command is null || mayRun ? "" : """{"tool_name":"Bash"}""", tokens: true));
        return 0;
    }

    private static string Result(string session, bool isError, int? status, string text, string denials, bool tokens) => $$$"""
        {"type":"result","subtype":"success","is_error":{{{(isError ? "true" : "false")}}},"api_error_status":{{{status?.ToString() ?? "null"}}},"result":{{{Errand.Json(text)}}},"session_id":"{{{session}}}","total_cost_usd":0.00586,"permission_denials":[{{{denials}}}],"usage":{"input_tokens":{{{(tokens ? 1245 : 0)}}},"output_tokens":{{{(tokens ? 34 : 0)}}},"cache_read_input_tokens":{{{(tokens ? 1000 : 0)}}},"cache_creation_input_tokens":0},"modelUsage":{{{(tokens ? """{"claude-opus-5-5":{"outputTokens":34,"provider":"firstParty"}}""" : "{}")}}}}
        """;

    private static int Refuse(string why)
    {
        Console.Error.WriteLine(why);
        return 1;
    }
}
