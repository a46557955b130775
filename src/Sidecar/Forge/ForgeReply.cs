using System.Text.Json;

namespace FleetSidecar.Forge;

/// <summary>What came of one question to the forge. Whether another try can help is decided here, where the raw answer was seen.</summary>
internal abstract record ForgeReply
{
    private ForgeReply()
    {
    }

    /// <summary>It did what was asked.</summary>
    internal sealed record Answered(JsonElement Body) : ForgeReply;

    /// <summary>It says that there is one already, or that it cannot be (409, 422).</summary>
    internal sealed record Conflict(string Said) : ForgeReply;

    /// <summary>No, and asking again changes nothing.</summary>
    internal sealed record Refused(string Code, string Reason, string Hint) : ForgeReply;

    /// <summary>Not now: it is away, overloaded, or did not answer in time.</summary>
    internal sealed record NotNow(string Reason, TimeSpan? After) : ForgeReply;
}

/// <summary>The codes of a forge's refusals, each with what to do.</summary>
internal static class ForgeFaults
{
    public const string Unreachable = "forge_unreachable";

    public static ForgeReply.Refused Unauthorized(int status) => new("forge_unauthorized", $"the forge does not take the token ({status})", "write a valid token into workspace.forge.tokenFile; it is read anew each time");

    public static ForgeReply.Refused Forbidden(string said) => new("forge_forbidden", $"the token may not do this (403{said})", "the token needs to read and write pull requests of this repository");

    public static ForgeReply.Refused NotFound() => new("forge_not_found", "the forge knows no such repository, or hides it from the token (404)", "check workspace.forge.api, .repository and what the token may see");

    public static ForgeReply.Refused Rejected(string said) => new("forge_rejected", $"the forge does not take the pull request{said}", "look whether workspace.forge.base exists and differs from the task's branch");

    public static ForgeReply.Refused Redirected(int status) => new("forge_redirect", $"the forge answered with a redirection ({status}), which is not followed with a token", "write the new address into workspace.forge.api, or give the repository's new name to tasks");

    public static ForgeReply.Refused BadAnswer(string why) => new("forge_bad_answer", $"the answer cannot be used: {why}", "does workspace.forge.api name the REST interface, and no login page or proxy?");

    public static ForgeReply.Refused NoToken(string file) => new("forge_token", $"the token file {file} cannot be read or does not hold one token", "write the token alone into it, readable for the service user");

    public static ForgeReply.Refused Elsewhere(string host) => new("forge_mismatch", $"the repository is not at the forge {host}", "set workspace.forge.repository, or leave workspace.forge out");
}
