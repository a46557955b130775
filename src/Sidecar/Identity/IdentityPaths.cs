using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Identity;

/// <summary>Where the identity's own files are: all outside the tree.</summary>
internal sealed class IdentityPaths(SidecarConfig config)
{
    /// <summary>Refuses where one of our own directories or files is something else: somebody put it there, and nothing may be written around it.</summary>
    /// <exception cref="ConfigurationException">One is.</exception>
    public void RequireKinds()
    {
        var odd = new[] { Home, Sealed, SealedCopies, Backup, Journal, Looks, Work, Replaced, Repository }.Where(path => PathFacts.Of(path) is { Kind: not PathKind.Directory }).Select(path => $"{path} is not a directory")
            .Concat(new[] { ManifestFile, Record, Offered, RestartLog }.Where(path => PathFacts.Of(path) is { Kind: not PathKind.File }).Select(path => $"{path} is not a file")).FirstOrDefault();
        if (odd is not null)
        {
            throw new ConfigurationException(odd, "look at what it is, and move it away; a seal that is lost is made anew with 'fleet-sidecar identity seal'");
        }
    }

    public string Home { get; } = Path.Combine(config.StateDirectory, "identity");

    public string Tree { get; } = config.Identity.Tree.TrimEnd('/');

    public string Sealed => Path.Combine(Home, "sealed");

    public string ManifestFile => Path.Combine(Sealed, "manifest.json");

    public string SealedCopies => Path.Combine(Sealed, "files");

    public string Backup => Path.Combine(Home, "backup");

    public string Journal => Path.Combine(Home, "journal");

    /// <summary>What stood in the place of an identity file and was not ours; a directory a sync, the newest are kept.</summary>
    public string Replaced => Path.Combine(Home, "replaced");

    /// <summary>The keys that the upstream's address book has offered once.</summary>
    public string Offered => Path.Combine(Home, "contacts-offered.json");

    /// <summary>What the last command of <c>identity.restart</c> that failed said.</summary>
    public string RestartLog => Path.Combine(Home, "restart.log");

    public string Repository => Path.Combine(Home, "upstream.git");

    public string Record => Path.Combine(Home, "record.json");

    public string Trees => config.Identity.Trees ?? Path.Combine(Home, "trees");

    /// <summary>Copies of databases while they are looked at; a name begins with the pid of whoever looks.</summary>
    public string Looks => Path.Combine(Home, "looks");

    /// <summary>Emptied at the start of every command; nothing in it is needed by the next one.</summary>
    public string Work => Path.Combine(Home, "work");
}
