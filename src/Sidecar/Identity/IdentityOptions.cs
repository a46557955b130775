using System.ComponentModel.DataAnnotations;

namespace FleetSidecar.Identity;

/// <summary>Section <c>identity</c>: the fleet's own code tree on this machine, and the files in it that are this agent's alone. Off without a tree.</summary>
internal sealed class IdentityOptions
{
    /// <summary>Absolute path of the tree, or of the symbolic link by which it is reached. Default none: nothing is checked and nothing synced.</summary>
    public string Tree { get; set; } = "";

    /// <summary>Where new versions of the tree come from. Needed for <c>sync</c>.</summary>
    public UpstreamOptions Upstream { get; set; } = new();

    /// <summary><c>swap</c>: a new directory beside, then the link is turned. <c>in-place</c>: the tree stays where it is. Default by what the tree is.</summary>
    [AllowedValues(SyncMethod.Swap, SyncMethod.InPlace, null)]
    public string? Method { get; set; }

    /// <summary>Method swap: where the directories with the versions are made. Absolute path; default <c>identity/trees</c> in the state directory.</summary>
    public string? Trees { get; set; }

    /// <summary>An upstream that carries an identity path: <c>keep</c> (default) keeps ours and never materialises theirs, <c>refuse</c> refuses the sync.</summary>
    [AllowedValues(CollisionPolicy.Keep, CollisionPolicy.Refuse)]
    public string OnCollision { get; set; } = CollisionPolicy.Keep;

    /// <summary>Time between syncs of the daemon's own, 1 min to 7 days; default 0: only by hand.</summary>
    public TimeSpan Interval { get; set; }

    /// <summary>The identity files. At least one where there is a tree.</summary>
    public List<IdentityFileOptions> Files { get; set; } = [];

    /// <summary>Commands (argv) that are run in order after a verified sync; where one fails, the tree goes back and they are run again. Default none.</summary>
    public List<List<string>> Restart { get; set; } = [];

    /// <summary>The address book that arrives with the sync. Default none.</summary>
    public ContactsOptions? Contacts { get; set; }
}

/// <summary>One branch of one repository, and no other.</summary>
internal sealed class UpstreamOptions
{
    /// <summary>Address of the repository: https, ssh, file or an absolute path.</summary>
    public string Url { get; set; } = "";

    /// <summary>The branch; default <c>main</c>.</summary>
    public string Branch { get; set; } = "main";

    /// <summary>A commit of that branch, 40 hex digits, that the tree is held at. Default none: the branch's head.</summary>
    public string? Commit { get; set; }

    /// <summary>Whether the commit must carry a signature that <c>git verify-commit</c> accepts; default false.</summary>
    public bool VerifySignatures { get; set; }
}

/// <summary>One identity file, or several by a pattern, and what makes it this agent's.</summary>
internal sealed class IdentityFileOptions
{
    /// <summary>Path inside the tree; <c>*</c> and <c>?</c> stand for letters of one name, <c>**</c> for any directories. Required.</summary>
    public string Path { get; set; } = "";

    /// <summary><c>sealed</c> (default): exactly the sealed bytes. <c>mark</c>: may change, but holds the mark. <c>sqlite</c>: may change, but is a sound database with the table and its rows.</summary>
    [AllowedValues(IdentityRule.Sealed, IdentityRule.Mark, IdentityRule.Sqlite)]
    public string Rule { get; set; } = IdentityRule.Sealed;

    /// <summary>Words that only this agent's file holds, 3 to 200 characters: <c>I am Iris</c>. Required for <c>sealed</c> and <c>mark</c>.</summary>
    public string? Mark { get; set; }

    /// <summary>Rule sqlite: the table. Letters, digits and <c>_</c>. Required there.</summary>
    public string? Table { get; set; }

    /// <summary>Rule sqlite: fewest rows, 0 or more; default 1.</summary>
    public long MinimumRows { get; set; } = 1;
}

/// <summary>Section <c>identity.contacts</c>: who is reached how, merged from the upstream's book into ours by a stable key.</summary>
internal sealed class ContactsOptions
{
    /// <summary>Our book, one of the identity files of rule sqlite. Required.</summary>
    public string Path { get; set; } = "contacts.db";

    /// <summary>The table in both books; default <c>contacts</c>.</summary>
    public string Table { get; set; } = "contacts";

    /// <summary>The column that names a contact in both; default <c>name</c>.</summary>
    public string Key { get; set; } = "name";

    /// <summary>The upstream's book, a SQLite file in its tree; default the same path as ours.</summary>
    public string? From { get; set; }
}

/// <summary>How the tree is brought to a version.</summary>
internal static class SyncMethod
{
    public const string Swap = "swap";
    public const string InPlace = "in-place";
}

/// <summary>What makes a file this agent's.</summary>
internal static class IdentityRule
{
    public const string Sealed = "sealed";
    public const string Mark = "mark";
    public const string Sqlite = "sqlite";
}

/// <summary>What an upstream may do that carries an identity path of its own.</summary>
internal static class CollisionPolicy
{
    public const string Keep = "keep";
    public const string Refuse = "refuse";
}
