namespace FleetSidecar.Protocol;

/// <summary>The checks that the two families share. Each returns a complaint that names the field, or null.</summary>
internal static class FieldRules
{
    public static string? TaskId(string id) =>
        TaskIds.IsValid(id) ? null : "task_id must be 1 to 128 letters, digits, '.', '_' or '-'";

    public static string? Text(string field, string? text, int max) =>
        text is null || text.Length <= max ? null : $"{field} is longer than {max} characters";

    public static string? Needed(string field, string text, int max) =>
        text.Length == 0 ? $"{field} is empty" : Text(field, text, max);

    public static string? Generation(long? generation) =>
        generation is null or (>= 0 and <= long.MaxValue / 2) ? null : "generation is out of range";

    public static string? Items(string field, IReadOnlyList<string>? list, int max)
    {
        if (list is null)
        {
            return null;
        }

        return Count(field, list.Count)
            ?? (list.Any(item => item is null || item.Length > max) ? $"{field} holds null or an entry over {max} characters" : null);
    }

    public static string? Count(string field, int count) =>
        count <= WireLimits.MaxListItems ? null : $"{field} has more than {WireLimits.MaxListItems} entries";

    /// <summary>A number beyond all measure is read as infinite, which no JSON can hold.</summary>
    public static string? Finite(string field, double? number) =>
        number is null || double.IsFinite(number.Value) ? null : $"{field} is beyond all measure";

    public static string? NotNegative(string field, long? number) => number is null or >= 0 ? null : $"{field} is below zero";
}
