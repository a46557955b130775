namespace FleetSidecar.AgentStandIn;

/// <summary>A command line, read loosely: options with the word after them.</summary>
internal sealed class Words(string[] words)
{
    public IReadOnlyList<string> All => words;

    public bool Has(string word) => words.Contains(word);

    public bool StartsWith(params string[] verb) => words.Take(verb.Length).SequenceEqual(verb);

    public string? After(string option) => Array.IndexOf(words, option) is >= 0 and var index && index + 1 < words.Length ? words[index + 1] : null;
}
