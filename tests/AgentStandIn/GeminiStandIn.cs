namespace FleetSidecar.AgentStandIn;

/// <summary>Gemini CLI: an untrusted directory is exit code 55, and a provider's status comes back cut to a byte.</summary>
internal static class GeminiStandIn
{
    private const string Session = "00541e1d-5a2a-4efb-a655-2bd0f5c96f6d";
    private const int NoInput = 42, Untrusted = 55;

    public static async Task<int> RunAsync(Words words)
    {
        var prompt = await Errand.FromInputAsync();
        if (prompt.Length == 0)
        {
            Console.Error.WriteLine("No input provided via stdin.");
            return NoInput;
        }

        var errand = new Errand(prompt);
        if (Environment.GetEnvironmentVariable("GEMINI_CLI_TRUST_WORKSPACE") != "true")
        {
            Console.Error.WriteLine("Gemini CLI is not running in a trusted directory.");
            return Untrusted;
        }

        if (errand.IsSilent)
        {
            return 0;
        }

        Console.WriteLine($$"""{"type":"init","session_id":"{{Session}}","model":"gemini-2.5-flash"}""");
        await errand.SleepAsync();
        if (errand.Status is { } status)
        {
            Console.Error.WriteLine($"Error when talking to Gemini API\n  status: {status}");
            Console.WriteLine($$$$$"""{"type":"result","status":"error","error":{"type":"unknown","message":"[API Error: fake failure {{{{{status}}}}}]"},"stats":{"models":{}}}""");
            return status & 0xFF;
        }

        if (words.After("--approval-mode") == "yolo")
        {
            await errand.ExecAsync();
        }

        Console.WriteLine($$"""{"type":"message","role":"assistant","content":{{Errand.Json(Errand.Said)}},"delta":true}""");
        Console.WriteLine("""{"type":"result","status":"success","stats":{"total_tokens":1375,"models":{"fake":{"total_tokens":1375,"input_tokens":1341,"output_tokens":34,"cached":0,"input":1341}}}}""");
        return 0;
    }
}
