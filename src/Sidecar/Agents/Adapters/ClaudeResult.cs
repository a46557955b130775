using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Reads Claude Code's <c>result</c> record. Good: no error, and no tool was denied; a turn whose tools are denied ends with exit code 0 all the same.</summary>
internal static class ClaudeResult
{
    public static AgentTurn Read(JsonElement result, string? startedModel, TurnOutput output)
    {
        var used = result.Members("modelUsage").OrderByDescending(model => model.Value.Tokens("outputTokens") ?? 0).FirstOrDefault();
        var turn = new AgentTurn
        {
            Ok = true,
            Output = result.Text("result"),
            SessionId = result.Text("session_id"),
            Model = used.Value.ValueKind == JsonValueKind.Undefined ? startedModel : used.Name,
            Provider = used.Value.ValueKind == JsonValueKind.Undefined ? null : used.Value.Text("provider") is "firstParty" ? "anthropic" : used.Value.Text("provider"),
            Tokens = Tokens(result),
            CostUsd = result.Money("total_cost_usd"),
        };
        if (result.Flag("is_error") != false || result.Text("subtype") != "success")
        {
            return turn with { Ok = false, FailureCode = Code(result, output), Reason = Reason(result) };
        }

        if (result.At("permission_denials") is { ValueKind: not (JsonValueKind.Array or JsonValueKind.Null) })
        {
            return turn with { Ok = false, FailureCode = FailureClass.Unknown, Reason = "Claude Code's record says of permission_denials what this version does not know" };
        }

        var denied = result.Items("permission_denials").Select(denial => denial.Text("tool_name") ?? "a tool").Distinct().ToList();
        return denied.Count == 0 ? turn : turn with
        {
            Ok = false,
            FailureCode = FailureClass.Config,
            Reason = $"Claude Code was denied {Printable.Cut(string.Join(", ", denied), 200)}; allow it in the profile's command, for example with --allowedTools or --permission-mode",
        };
    }

    private static string Code(JsonElement result, TurnOutput output)
    {
        if (output.OutOfMemory)
        {
            return FailureClass.OutOfMemory;
        }

        if (FailureClassifier.OfStatus(result.Number("api_error_status")) is var byStatus && byStatus != FailureClass.Unknown)
        {
            return byStatus;
        }

        // error_max_turns, error_max_budget_usd, error_during_execution: the program says that the agent did not get there.
        return FailureClassifier.OfText($"{result.Text("api_error")}\n{Reason(result)}") is var byText && byText == FailureClass.Unknown && result.Text("subtype") is { } subtype && subtype != "success"
            ? FailureClass.AgentError
            : byText;
    }

    private static string Reason(JsonElement result)
    {
        var words = result.Items("errors").Where(error => error.ValueKind == JsonValueKind.String).Select(error => error.GetString()!).Append(result.Text("result") ?? "").Where(text => text.Length > 0);
        return Printable.Cut(string.Join("; ", words) is { Length: > 0 } text ? text : $"Claude Code ended with {result.Text("subtype") ?? "an error"}", 500);
    }

    private static TokenUse? Tokens(JsonElement result) => result.At("usage") is not { } usage ? null : new TokenUse
    {
        Input = usage.Tokens("input_tokens"),
        Output = usage.Tokens("output_tokens"),
        CacheRead = usage.Tokens("cache_read_input_tokens"),
        CacheWrite = usage.Tokens("cache_creation_input_tokens"),
        Total = (usage.Tokens("input_tokens") ?? 0) + (usage.Tokens("output_tokens") ?? 0) + (usage.Tokens("cache_read_input_tokens") ?? 0) + (usage.Tokens("cache_creation_input_tokens") ?? 0),
    };
}
