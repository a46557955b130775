namespace FleetSidecar.Protocol;

/// <summary>The form of ids that come from outside and end up in file names, branches and logs.</summary>
public static class TaskIds
{
    /// <summary>True for 1 to <see cref="WireLimits.MaxTaskId"/> letters, digits, <c>.</c>, <c>_</c>, <c>-</c>, starting with a letter or digit, without <c>..</c>.</summary>
    public static bool IsValid(string id) =>
        id.Length is > 0 and <= WireLimits.MaxTaskId
        && char.IsAsciiLetterOrDigit(id[0])
        && !id.Contains("..", StringComparison.Ordinal)
        && id.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-');
}
