namespace FleetSidecar.Workspaces;

/// <summary>Section <c>workspace</c>: where agents work.</summary>
internal sealed class WorkspaceOptions
{
    /// <summary>Repositories that may be cloned; <c>*</c> stands for any run of characters. Default <c>["*"]</c>. A task for any other one fails before anything is fetched.</summary>
    public List<string> AllowedRepositories { get; set; } = ["*"];

    /// <summary>Author name of the agent's commits; default the agent id.</summary>
    public string? AuthorName { get; set; }

    /// <summary>Author address of the agent's commits; default <c>AGENT@fleet.invalid</c>.</summary>
    public string? AuthorEmail { get; set; }

    /// <summary>Longest time for one git command, 1 s to 1 h; default 5 min.</summary>
    public TimeSpan GitTimeout { get; set; } = TimeSpan.FromMinutes(5);
}
