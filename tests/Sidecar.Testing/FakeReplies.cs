using System.Text.Json.Nodes;

namespace FleetSidecar.Testing;

/// <summary>One reply of <see cref="FakeProvider"/> in the words of each interface: a canned text, or a call of the agent's shell tool.</summary>
internal static class FakeReplies
{
    private const int In = 1245, Out = 34, Cached = 1000;

    public static string Chat((string Name, JsonObject Arguments)? call, bool stream)
    {
        JsonObject message = call is { } tool
            ? new() { ["role"] = "assistant", ["content"] = null, ["tool_calls"] = new JsonArray(new JsonObject { ["index"] = 0, ["id"] = "call_1", ["type"] = "function", ["function"] = new JsonObject { ["name"] = tool.Name, ["arguments"] = tool.Arguments.ToJsonString() } }) }
            : new() { ["role"] = "assistant", ["content"] = FakeProvider.Said };
        var finish = call is null ? "stop" : "tool_calls";
        var usage = new JsonObject { ["prompt_tokens"] = In, ["completion_tokens"] = Out, ["total_tokens"] = In + Out };
        JsonObject Piece(string kind, JsonArray choices) => new() { ["id"] = "chatcmpl-1", ["created"] = 1, ["model"] = FakeProvider.Model, ["object"] = kind, ["choices"] = choices };
        if (!stream)
        {
            var whole = Piece("chat.completion", [new JsonObject { ["index"] = 0, ["message"] = message, ["finish_reason"] = finish }]);
            whole["usage"] = usage;
            return whole.ToJsonString();
        }

        var last = Piece("chat.completion.chunk", []);
        last["usage"] = usage;
        return Lines(
            Piece("chat.completion.chunk", [new JsonObject { ["index"] = 0, ["delta"] = message, ["finish_reason"] = null }]),
            Piece("chat.completion.chunk", [new JsonObject { ["index"] = 0, ["delta"] = new JsonObject(), ["finish_reason"] = finish }]), last) + "data: [DONE]\n\n";
    }

    public static string Responses((string Name, JsonObject Arguments)? call)
    {
        JsonObject item = call is { } tool
            ? new() { ["type"] = "function_call", ["id"] = "fc_1", ["call_id"] = "call_1", ["name"] = tool.Name, ["arguments"] = tool.Arguments.ToJsonString(), ["status"] = "completed" }
            : new() { ["type"] = "message", ["id"] = "msg_1", ["role"] = "assistant", ["status"] = "completed", ["content"] = new JsonArray(new JsonObject { ["type"] = "output_text", ["text"] = FakeProvider.Said, ["annotations"] = new JsonArray() }) };
        JsonObject Response(string status, bool done) => new()
        {
            ["id"] = "resp_1", ["object"] = "response", ["created_at"] = 1, ["status"] = status, ["model"] = FakeProvider.Model, ["output"] = done ? new JsonArray(item.DeepClone()) : [],
            ["usage"] = done ? new JsonObject { ["input_tokens"] = In, ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = Cached }, ["output_tokens"] = Out, ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = 0 }, ["total_tokens"] = In + Out } : null,
        };
        return Events(
            new() { ["type"] = "response.created", ["response"] = Response("in_progress", done: false) },
            new() { ["type"] = "response.output_item.added", ["output_index"] = 0, ["item"] = item.DeepClone() },
            new() { ["type"] = "response.output_item.done", ["output_index"] = 0, ["item"] = item.DeepClone() },
            new() { ["type"] = "response.completed", ["response"] = Response("completed", done: true) });
    }

    public static string Messages((string Name, JsonObject Arguments)? call, bool stream)
    {
        JsonObject Block(bool empty) => call is { } tool
            ? new() { ["type"] = "tool_use", ["id"] = "toolu_1", ["name"] = tool.Name, ["input"] = empty ? new JsonObject() : tool.Arguments.DeepClone() }
            : new() { ["type"] = "text", ["text"] = empty ? "" : FakeProvider.Said };
        JsonObject Usage() => new() { ["input_tokens"] = In, ["cache_creation_input_tokens"] = 0, ["cache_read_input_tokens"] = Cached, ["output_tokens"] = Out };
        JsonObject Message(bool empty) => new()
        {
            ["id"] = "msg_1", ["type"] = "message", ["role"] = "assistant", ["model"] = "claude-fake", ["content"] = empty ? [] : new JsonArray(Block(empty: false)),
            ["stop_reason"] = empty ? null : call is null ? "end_turn" : "tool_use", ["stop_sequence"] = null, ["usage"] = Usage(),
        };
        JsonObject delta = call is { } made
            ? new() { ["type"] = "input_json_delta", ["partial_json"] = made.Arguments.ToJsonString() }
            : new() { ["type"] = "text_delta", ["text"] = FakeProvider.Said };
        return !stream ? Message(empty: false).ToJsonString() : Events(
            new() { ["type"] = "message_start", ["message"] = Message(empty: true) },
            new() { ["type"] = "content_block_start", ["index"] = 0, ["content_block"] = Block(empty: true) },
            new() { ["type"] = "content_block_delta", ["index"] = 0, ["delta"] = delta },
            new() { ["type"] = "content_block_stop", ["index"] = 0 },
            new() { ["type"] = "message_delta", ["delta"] = new JsonObject { ["stop_reason"] = call is null ? "end_turn" : "tool_use", ["stop_sequence"] = null }, ["usage"] = Usage() },
            new() { ["type"] = "message_stop" });
    }

    public static string Gemini((string Name, JsonObject Arguments)? call, bool stream)
    {
        JsonObject part = call is { } tool ? new() { ["functionCall"] = new JsonObject { ["name"] = tool.Name, ["args"] = tool.Arguments.DeepClone() } } : new() { ["text"] = FakeProvider.Said };
        JsonObject answer = new()
        {
            ["candidates"] = new JsonArray(new JsonObject { ["content"] = new JsonObject { ["role"] = "model", ["parts"] = new JsonArray(part) }, ["finishReason"] = "STOP", ["index"] = 0 }),
            ["usageMetadata"] = new JsonObject { ["promptTokenCount"] = In, ["candidatesTokenCount"] = Out, ["totalTokenCount"] = In + Out },
            ["modelVersion"] = FakeProvider.Model,
        };
        return stream ? Lines(answer) : answer.ToJsonString();
    }

    private static string Lines(params JsonObject[] pieces) => string.Concat(pieces.Select(piece => $"data: {piece.ToJsonString()}\n\n"));

    private static string Events(params JsonObject[] events) => string.Concat(events.Select(one => $"event: {(string)one["type"]!}\ndata: {one.ToJsonString()}\n\n"));
}
