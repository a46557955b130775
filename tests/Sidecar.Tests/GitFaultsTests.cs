using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What git says, as codes. The texts are those of git 2.39, curl and OpenSSH in the C locale.</summary>
public sealed class GitFaultsTests
{
    [Theory]
    [InlineData("fatal: unable to access 'https://x/': Could not resolve host: x", GitFaults.HostNotFound)]
    [InlineData("ssh: Could not resolve hostname x: Name or service not known\nfatal: Could not read from remote repository.", GitFaults.HostNotFound)]
    [InlineData("fatal: Authentication failed for 'https://x/'", GitFaults.AuthFailed)]
    [InlineData("fatal: could not read Username for 'https://x': terminal prompts disabled", GitFaults.AuthFailed)]
    [InlineData("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", GitFaults.AuthFailed)]
    [InlineData("fatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.AuthFailed)]
    [InlineData("fatal: repository 'https://x/' not found", GitFaults.NotFound)]
    [InlineData("fatal: '/srv/x.git' does not appear to be a git repository\nfatal: Could not read from remote repository.", GitFaults.NotFound)]
    [InlineData("fatal: transport 'ext' not allowed", GitFaults.BadAddress)]
    [InlineData("fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection refused", GitFaults.Unreachable)]
    [InlineData("fatal: unable to connect to 127.0.0.1:\n127.0.0.1[0: 127.0.0.1]: errno=Connection refused", GitFaults.Unreachable)]
    [InlineData("fatal: the remote end hung up unexpectedly", GitFaults.Unreachable)]
    [InlineData("fatal: unable to access 'https://x/': The requested URL returned error: 503", GitFaults.Unreachable)]
    [InlineData("error: unable to write file: No space left on device\nfatal: the remote end hung up unexpectedly", GitFaults.DiskFull)]
    [InlineData(" ! [rejected]        a -> a (stale info)", GitFaults.BranchMoved)]
    [InlineData(" ! [remote rejected] a -> a (pre-receive hook declined)", GitFaults.PushRefused)]
    [InlineData("error: object file .git/objects/aa/bb is empty\nfatal: loose object aabb is corrupt", GitFaults.Damaged)]
    [InlineData("fatal: something new", GitFaults.Other)]
    public void Each_cause_has_its_code_and_what_to_do(string said, string code)
    {
        var fault = GitFaults.Explain(["push", "--quiet"], new ToolOutcome(128, "", said, TimedOut: false));

        Assert.Equal(code, fault.Code);
        Assert.StartsWith($"{code}: git push: ", fault.Message, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Hint);
    }

    [Fact]
    public void A_git_that_took_too_long_says_so_and_is_worth_another_try() =>
        Assert.True(GitFaults.Explain(["fetch"], new ToolOutcome(-1, "", "no end", TimedOut: true)) is { Code: GitFaults.TimedOut, IsPassing: true });
}
