namespace FleetSidecar.Forge;

/// <summary>Section <c>workspace.forge</c>: where a pull request is opened once the work is on the origin.</summary>
internal sealed class ForgeOptions
{
    /// <summary>Whose interface it is: <c>github</c> (GitHub Enterprise too) or <c>gitea</c> (Forgejo too); default <c>github</c>.</summary>
    [System.ComponentModel.DataAnnotations.AllowedValues(ForgeKind.GitHub, ForgeKind.Gitea)]
    public string Kind { get; set; } = ForgeKind.GitHub;

    /// <summary>Where its REST interface begins; default <c>https://api.github.com</c>, for Enterprise <c>https://HOST/api/v3</c>, for Gitea <c>https://HOST/api/v1</c>. The token is sent nowhere else.</summary>
    public string Api { get; set; } = "https://api.github.com";

    /// <summary>Absolute path of a file with the token alone. Required. Read for every pull request, so that a new one works at once.</summary>
    public string TokenFile { get; set; } = "";

    /// <summary><c>OWNER/NAME</c> of the repository; default from the task's address. Needed where the address does not say it.</summary>
    public string? Repository { get; set; }

    /// <summary>The branch that the work is meant for; default the task's <c>branch</c>, else the repository's default branch.</summary>
    public string? Base { get; set; }

    /// <summary>Open it as a draft; default false.</summary>
    public bool Draft { get; set; }

    /// <summary>How long to try while the forge does not answer, 1 s to 1 h; default 2 min, and never past four fifths of what is left of <c>deadlines.submit</c>. Afterwards the task completes without a pull request and says so.</summary>
    public TimeSpan GiveUpAfter { get; set; } = TimeSpan.FromMinutes(2);
}

/// <summary>The words of <see cref="ForgeOptions.Kind"/>.</summary>
internal static class ForgeKind
{
    public const string GitHub = "github";
    public const string Gitea = "gitea";
}
