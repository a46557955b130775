namespace FleetSidecar.AgentStandIn;

/// <summary>Codex: reads standard input to its end, never ends while its provider cannot be reached, and says nothing of what its sandbox refused.</summary>
internal static class CodexStandIn
{
    public static async Task<int> RunAsync(Words words)
    {
        Console.Error.WriteLine("Reading additional input from stdin...");
        var prompt = await Errand.FromInputAsync();
        if (prompt.Length == 0)
        {
            Console.Error.WriteLine("No prompt provided via stdin.");
            return 1;
        }

        var errand = new Errand(prompt);
        if (!words.StartsWith("exec") || !words.Has("--json") || words.All[^1] != "-")
        {
            Console.Error.WriteLine("error: unexpected argument found");
            return 2;
        }

        if (!words.Has("--skip-git-repo-check") && !Directory.Exists(".git"))
        {
            Console.Error.WriteLine("Not inside a trusted directory and --skip-git-repo-check was not specified.");
            return 1;
        }

        if (errand.IsSilent)
        {
            return 0;
        }

        Console.WriteLine("""{"type":"thread.started","thread_id":"01a1f796-ebf2-70b0-9772-21c74009f3ea"}""");
        Console.WriteLine("""{"type":"turn.started"}""");
        await errand.SleepAsync();
        if (errand.Status is { } status)
        {
            var message = Errand.Json($"unexpected status {status} Unauthorized: fake failure {status}");
            Console.WriteLine($$"""{"type":"error","message":{{message}}}""");
            Console.WriteLine($$$$$"""{"type":"turn.failed","error":{"message":{{{{{message}}}}}}}""");
            return 1;
        }

        if (words.After("--sandbox") == "danger-full-access")
        {
            await errand.ExecAsync();
        }

        Console.WriteLine($$$$$"""{"type":"item.completed","item":{"id":"item_1","type":"agent_message","text":{{{{{Errand.Json(Errand.Said)}}}}}}}""");
        Console.WriteLine("""{"type":"turn.completed","usage":{"input_tokens":1282,"cached_input_tokens":1000,"cache_write_input_tokens":0,"output_tokens":34,"reasoning_output_tokens":0}}""");
        return 0;
    }
}
