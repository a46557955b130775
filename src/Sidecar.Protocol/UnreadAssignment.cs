using System.Text.Json;

namespace FleetSidecar.Protocol;

/// <summary>The task that a refused <c>task_assign</c> is about, so that the hub can be told at once instead of waiting for its accept deadline.</summary>
/// <param name="TaskId">The task.</param>
/// <param name="Generation">The generation that was offered; 0 where the frame has none.</param>
public sealed record UnreadAssignment(string TaskId, long Generation)
{
    /// <summary>The ids in a well-formed frame; null where there is no task, or an id stands there twice or is out of range.</summary>
    internal static UnreadAssignment? In(ReadOnlySpan<byte> json)
    {
        string? task = null;
        long? generation = null;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = WireLimits.MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
            {
                continue;
            }

            var isTask = reader.ValueTextEquals("task_id"u8);
            var isGeneration = reader.ValueTextEquals("generation"u8);
            reader.Read();
            if (isTask)
            {
                if (task is not null || reader.TokenType != JsonTokenType.String)
                {
                    return null;
                }

                task = reader.GetString();
            }
            else if (isGeneration)
            {
                if (generation is not null || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number))
                {
                    return null;
                }

                generation = number;
            }

            reader.Skip();
        }

        return task is not null && FieldRules.TaskId(task) is null && FieldRules.Generation(generation) is null
            ? new UnreadAssignment(task, generation ?? 0)
            : null;
    }
}
