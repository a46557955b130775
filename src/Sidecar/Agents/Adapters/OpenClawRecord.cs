using System.Text.Json;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Adapters;

/// <summary>Reads OpenClaw's own record of a turn: <c>agent</c> and the gateway put it below <c>result.meta.agentMeta</c>, <c>agent exec</c> at the top.</summary>
internal static class OpenClawRecord
{
    public static AgentTurn Read(JsonElement record, TurnOutput output)
    {
        var meta = record.At("result", "meta", "agentMeta") ?? record;
        var payloads = record.Items("payloads").Concat(record.Items("result", "payloads")).ToList();
        var turn = new AgentTurn
        {
            Ok = true,
            Output = record.Text("final") is { Length: > 0 } final ? final : string.Join('\n', payloads.Select(payload => payload.Text("text")).OfType<string>()),
            SessionId = meta.Text("sessionId"), Provider = meta.Text("provider"), Model = meta.Text("model"),
            Tokens = Tokens(meta), CostUsd = meta.Money("costUsd") ?? meta.Money("usage", "cost", "total"),
        };
        return record switch
        {
            _ when record.At("error") is not null || record.Flag("ok") == false || record.Text("status") is "error" or "timeout" => Failed(turn, record, output),
            _ when record.Text("status") != "ok" => Failed(turn, record, output) with { Reason = $"OpenClaw's last word was '{record.Text("status") ?? "nothing"}', which is no end of a turn" },
            _ when record.Flag("result", "meta", "aborted") == true || record.Flag("aborted") == true => Failed(turn, record, output) with { Reason = "OpenClaw aborted the turn" },
            _ when payloads.Exists(payload => payload.Flag("isError") == true) => Failed(turn, record, output),
            _ => turn,
        };
    }

    private static AgentTurn Failed(AgentTurn turn, JsonElement record, TurnOutput output)
    {
        var message = record.Text("error", "message") ?? record.Text("error") ?? record.Text("summary")
            ?? record.Items("result", "payloads").Concat(record.Items("payloads")).Where(payload => payload.Flag("isError") == true).Select(payload => payload.Text("text")).FirstOrDefault()
            ?? "OpenClaw recorded a failed turn without a reason";
        return turn with { Ok = false, FailureCode = Code(record, message, output), Reason = Printable.Cut(message, 500) };
    }

    private static string Code(JsonElement record, string message, TurnOutput output) => record switch
    {
        _ when output.OutOfMemory => FailureClass.OutOfMemory,
        _ when record.Text("error", "kind") is "timeout" && record.Text("error", "type") != "gateway_transport_error" => FailureClass.Timeout,
        _ when record.Text("status") == "timeout" => FailureClass.Timeout,

        // Accepted, and then out of reach: whether the turn goes on has to be looked up, so nothing may be guessed.
        _ when record.Text("error", "kind") is "lost" => FailureClass.Unknown,
        _ => FailureClassifier.Classify(output.End, outOfMemory: false, message, output.Errors),
    };

    private static TokenUse? Tokens(JsonElement meta) => meta.At("usage") is not { ValueKind: JsonValueKind.Object } usage ? null : new TokenUse
    {
        Input = usage.Tokens("input"), Output = usage.Tokens("output"), CacheRead = usage.Tokens("cacheRead"), CacheWrite = usage.Tokens("cacheWrite"),
        Total = usage.Tokens("total") ?? (usage.Tokens("input") ?? 0) + (usage.Tokens("output") ?? 0) + (usage.Tokens("cacheRead") ?? 0) + (usage.Tokens("cacheWrite") ?? 0),
    };
}
