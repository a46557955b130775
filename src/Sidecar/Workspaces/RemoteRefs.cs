namespace FleetSidecar.Workspaces;

/// <summary>What an origin's refs pointed to at one moment, as <c>git ls-remote --symref</c> says it.</summary>
/// <param name="DefaultBranch">The full name of the branch that the origin's HEAD names; null where it names none.</param>
/// <param name="All">Commits by full name.</param>
internal sealed record RemoteRefs(string? DefaultBranch, IReadOnlyDictionary<string, string> All)
{
    /// <summary>The commit of a ref, or empty where the origin does not have it.</summary>
    public string this[string name] => All.GetValueOrDefault(name, "");

    /// <summary>The highest generation of a task that ever delivered here; 0 where none did.</summary>
    public long HighestGeneration(string task) => All.Keys.Max(name => RefNames.GenerationOf(task, name)) ?? 0;

    public static RemoteRefs Parse(string text)
    {
        string? head = null;
        var all = new Dictionary<string, string>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Split('\t') is not [var what, var name])
            {
                continue;
            }

            if (!what.StartsWith("ref: ", StringComparison.Ordinal))
            {
                all[name] = what;
            }
            else if (name == "HEAD")
            {
                head = what["ref: ".Length..];
            }
        }

        return new RemoteRefs(head, all);
    }
}
