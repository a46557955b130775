using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Identity;

/// <summary>How a tree is brought to a version. Every step may be done again after a crash, from whatever the crash left.</summary>
internal interface ITreeMethod
{
    string Name { get; }

    /// <summary>The directory with the tree's files, and what a new version of it would be put into.</summary>
    string Directory { get; }

    /// <summary>Why a version cannot be put there without harm to something that is not git's.</summary>
    Task<string?> ObstacleAsync(string fromTree, string toTree, CancellationToken token);

    /// <summary>The tree of what is really there: the version that it is at, with every change that a new version would overwrite or leave behind.</summary>
    Task<string> FoundAsync(SyncState from, string toTree, IReadOnlyList<string> untouchable, CancellationToken token);

    /// <summary>Puts the version there. Never writes, moves or removes an identity file but by putting one of ours in its place.</summary>
    Task PlaceAsync(SyncPlan plan, IdentityWriter identity, CancellationToken token);

    /// <summary>Reads everything back and says what is not as planned, or null.</summary>
    Task<string?> DifferenceAsync(SyncPlan plan, CancellationToken token);
}

/// <summary>What the tree is at, as far as is known.</summary>
/// <param name="Commit">Null where nobody knows.</param>
/// <param name="Tree">Without identity paths; empty where nobody knows.</param>
internal sealed record SyncState(string? Commit, string Tree);

/// <summary>Which method fits a tree.</summary>
internal static class TreeMethods
{
    /// <exception cref="ConfigurationException">The tree is not there, or not what the configuration says.</exception>
    public static string Choose(IdentityOptions options, string tree) => (PathFacts.Of(tree)?.Kind, options.Method) switch
    {
        (null, _) => throw new ConfigurationException($"identity.tree: there is no {tree}", "put the tree there once by hand (git clone), with this agent's identity files, and seal them"),
        (PathKind.Link, SyncMethod.InPlace) => throw new ConfigurationException($"identity.method is in-place, but {tree} is a symbolic link", "set it to swap, or name the directory itself"),
        (PathKind.Directory, SyncMethod.Swap) => throw new ConfigurationException($"identity.method is swap, but {tree} is a directory", "set it to in-place, or move the directory and put a symbolic link in its place"),
        (PathKind.Link, _) when PathFacts.Of(tree + "/.") is not { Kind: PathKind.Directory } => throw new ConfigurationException($"identity.tree: the link {tree} leads to no directory", "mend the link"),
        (PathKind.Link, _) => SyncMethod.Swap,
        (PathKind.Directory, _) => SyncMethod.InPlace,
        _ => throw new ConfigurationException($"identity.tree: {tree} is not a directory", "name the directory with the fleet's code"),
    };
}
