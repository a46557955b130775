using FleetSidecar.Forge;

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

    /// <summary>Credentials for git, each given to its own host and no other. Default none: git then asks what the service user's own git configuration names. With any here, it asks nothing else.</summary>
    public List<GitCredential> Credentials { get; set; } = [];

    /// <summary>Whether work that an attempt left uncommitted or unpushed is pushed to <c>refs/fleet/rescue/TASK/GENERATION</c>; default true. Off, it is saved under that name in the workspace alone, and such a workspace is never removed.</summary>
    public bool PushRescue { get; set; } = true;

    /// <summary>How long a workspace stays after its run, 0 to 90 days; default 1 day. It is removed only when its work is proved to be on the origin; where the disk is near its floor, at once.</summary>
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Longest time for one git command, 1 s to 1 h; default 5 min.</summary>
    public TimeSpan GitTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>What a step <c>tests_pass</c> without a target runs, as argv; default none: such a step is skipped and the report is no <c>pass</c>.</summary>
    public List<string> TestCommand { get; set; } = [];

    /// <summary>Programs that the steps of a task may run, by the first word of their command; <c>*</c> stands for any run of characters. Default <c>["*"]</c>; <c>[]</c> forbids all. A step with any other one is skipped.</summary>
    public List<string> VerifyCommands { get; set; } = ["*"];

    /// <summary>Longest time for one verification step, 1 s to 7 days; default 10 min. The task's <c>verification_timeout_ms</c> bounds all of its steps together, <c>deadlines.verify</c> the whole check.</summary>
    public TimeSpan VerifyTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Where a pull request is opened for work that was pushed; default none.</summary>
    public ForgeOptions? Forge { get; set; }
}

/// <summary>One of <c>workspace.credentials</c>.</summary>
internal sealed class GitCredential
{
    /// <summary>Scheme and host, with a port where it is not the usual one, as <c>https://git.example</c>. <c>http://</c> only for this machine. Required.</summary>
    public string Url { get; set; } = "";

    /// <summary>User name; default <c>x-access-token</c>, which forges take with a token.</summary>
    public string Username { get; set; } = "x-access-token";

    /// <summary>Absolute path of a file whose first line is the token or password. Read by git's helper when it is asked; never in argv or in a log. Required.</summary>
    public string TokenFile { get; set; } = "";
}
