namespace FleetSidecar.AgentStandIn;

/// <summary>opencode: a tool that nobody allowed ends the turn after its step with exit code 0; an error is a line and exit code 0 too.</summary>
internal static class OpencodeStandIn
{
    private const string Session = "ses_e0866ed9effeLBf2ZMXYUXLNlf";

    public static async Task<int> RunAsync(Words words)
    {
        var prompt = await Errand.FromInputAsync();
        if (prompt.Length == 0)
        {
            Console.Error.WriteLine("You must provide a message or a command");
            return 1;
        }

        var errand = new Errand(prompt);
        if (!words.StartsWith("run") || words.After("--format") != "json")
        {
            return 1;
        }

        if (errand.IsSilent)
        {
            return 0;
        }

        await errand.SleepAsync();
        if (errand.Status is { } status)
        {
            Console.WriteLine($$$$$"""{"type":"error","sessionID":"{{{{{Session}}}}}","error":{"name":"APIError","data":{"message":"fake failure {{{{{status}}}}}","statusCode":{{{{{status}}}}}}}}""");
            return 0;
        }

        Console.WriteLine($$$"""{"type":"step_start","sessionID":"{{{Session}}}","part":{"type":"step-start"}}""");
        if (Environment.GetEnvironmentVariable("OPENCODE_PERMISSION") == "ask" && errand.Command is not null)
        {
            Console.WriteLine($$$$$"""{"type":"tool_use","sessionID":"{{{{{Session}}}}}","part":{"tool":"bash","state":{"status":"error","error":"The user rejected permission to use this specific tool call."}}}""");
            Console.WriteLine(Finish("tool-calls"));
            return 0;
        }

        await errand.ExecAsync();
        Console.WriteLine($$$$$"""{"type":"text","sessionID":"{{{{{Session}}}}}","part":{"type":"text","text":{{{{{Errand.Json(Errand.Said)}}}}}}}""");
        Console.WriteLine(Finish("stop"));
        return 0;
    }

    private static string Finish(string reason) =>
        $$$$$"""{"type":"step_finish","sessionID":"{{{{{Session}}}}}","part":{"reason":"{{{{{reason}}}}}","tokens":{"total":1346,"input":1312,"output":34,"reasoning":0,"cache":{"write":0,"read":0}},"cost":0.004446}}""";
}
