using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What git says, as codes. The texts are those of git 2.39, curl and OpenSSH in the C locale, and of the forges that are named.</summary>
public sealed class GitFaultsTests
{
    private const string HungUp = "\nfatal: the remote end hung up unexpectedly\n";
    private const string NoAccess = "\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n";
    private const string Hook = "\n ! [remote rejected] a -> a (pre-receive hook declined)\nerror: failed to push some refs to 'x'\n";

    [Theory]
    [InlineData("fatal: unable to access 'https://x/': Could not resolve host: x", GitFaults.HostNotFound)]
    [InlineData("ssh: Could not resolve hostname x: Name or service not known" + NoAccess, GitFaults.HostNotFound)]
    [InlineData("fatal: Authentication failed for 'https://x/'", GitFaults.AuthFailed)]
    [InlineData("fatal: could not read Username for 'https://x': terminal prompts disabled", GitFaults.AuthFailed)]
    [InlineData("git@x: Permission denied (publickey)." + NoAccess, GitFaults.AuthFailed)]
    [InlineData("fatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.AuthFailed)]
    [InlineData("fatal: unable to access 'https://x/': Received HTTP code 407 from proxy after CONNECT", GitFaults.AuthFailed)]
    [InlineData("fatal: repository 'https://x/' not found", GitFaults.NotFound)]
    [InlineData("fatal: repository '/srv/x' does not exist", GitFaults.NotFound)]
    [InlineData("fatal: '/srv/x.git' does not appear to be a git repository\nfatal: Could not read from remote repository.", GitFaults.NotFound)]
    [InlineData("fatal: remote error: access denied or repository not exported: /x.git", GitFaults.NotFound)]
    [InlineData("fatal: transport 'ext' not allowed", GitFaults.BadAddress)]
    [InlineData("Host key verification failed." + NoAccess, GitFaults.HostKey)]
    [InlineData("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed." + NoAccess, GitFaults.HostKey)]
    [InlineData("fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired", GitFaults.Tls)]
    [InlineData("fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate", GitFaults.Tls)]
    [InlineData("fatal: unable to access 'https://x/': SSL: no alternative certificate subject name matches target host name 'x'", GitFaults.Tls)]
    [InlineData("fatal: unable to access 'https://x/': server certificate verification failed. CAfile: none CRLfile: none", GitFaults.Tls)]
    [InlineData("fatal: unable to update url base from redirection:\n  asked for: https://x/info/refs\n   redirect: https://y/login", GitFaults.Moved)]
    [InlineData("fatal: unable to access 'https://x/': The requested URL returned error: 301", GitFaults.Moved)]
    [InlineData("error: object file .git/objects/aa/bb is empty\nfatal: loose object aabb is corrupt", GitFaults.Damaged)]
    [InlineData("error: unable to read sha1 file of file1.txt (d00491fd)\nfatal: Could not reset index file to revision 'aa'.", GitFaults.Damaged)]
    [InlineData("fatal: unable to read tree 652986f2", GitFaults.Damaged)]
    [InlineData("fatal: unable to read d00491fd" + HungUp, GitFaults.Damaged)]
    [InlineData("error: x did not send all necessary objects", GitFaults.Damaged)]
    [InlineData("error: unable to write file: No space left on device" + HungUp, GitFaults.DiskFull)]
    [InlineData("fatal: sha1 file '.git/objects/pack/tmp_pack_0ypc5c' write error. Out of diskspace", GitFaults.DiskFull)]
    [InlineData("fatal: Out of memory, malloc failed (tried to allocate 107374182400 bytes)", GitFaults.OutOfMemory)]
    [InlineData("error: packfile .git/objects/pack/pack-1.pack cannot be mapped: Cannot allocate memory", GitFaults.OutOfMemory)]
    [InlineData("fatal: something new", GitFaults.Other)]
    [InlineData("fatal: unable to access 'https://x/': The requested URL returned error: 410", GitFaults.Other)]
    [InlineData("ERROR: Your account is suspended." + NoAccess, GitFaults.Other)]
    [InlineData("Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-dss" + NoAccess, GitFaults.Other)]
    [InlineData("bash: line 1: git-upload-pack: command not found" + NoAccess, GitFaults.Other)]
    [InlineData("This account is currently not available." + NoAccess, GitFaults.Other)]
    [InlineData("sh: 1: git-receive-pack: not found" + NoAccess, GitFaults.Other)]
    [InlineData("FATAL: R any x u DENIED by fallthru" + NoAccess, GitFaults.PushDenied)]
    [InlineData("error: src refspec a does not match any\nerror: failed to push some refs to 'x'", GitFaults.Other)]
    [InlineData("/home/x/.ssh/config: line 1: Bad configuration option: x" + NoAccess, GitFaults.Other)]
    public void Each_cause_on_the_way_or_on_this_machine_has_its_code(string said, string code) => Check(said, code, isPassing: code == GitFaults.HostNotFound);

    [Theory]
    [InlineData("remote: commit message must not contain: rate limit" + Hook)]
    [InlineData("remote: docs/rate limiting.md has no owner" + Hook)]
    [InlineData("remote: Too many requests for review are open" + Hook)]
    [InlineData("remote: cannot lock ref in your file: Unable to create 'x.lock': File exists" + Hook)]
    [InlineData("remote: No space left on device in lint of your file" + Hook)]
    public void What_a_hook_declines_is_final_whatever_words_it_uses(string said) => Check(said, GitFaults.PushRefused, isPassing: false);

    [Theory]
    [InlineData("remote: GitLab: Internal API unreachable" + Hook)]
    [InlineData("remote: GitLab: Internal API error (503)" + Hook)]
    [InlineData("remote: GitLab: Push operation timed out" + Hook)]
    [InlineData("fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection refused")]
    [InlineData("fatal: unable to connect to 127.0.0.1:\n127.0.0.1[0: 127.0.0.1]: errno=Connection refused")]
    [InlineData("ssh: connect to host x port 22: Connection timed out" + NoAccess)]
    [InlineData("kex_exchange_identification: Connection closed by remote host" + NoAccess)]
    [InlineData("fatal: the remote end hung up unexpectedly")]
    [InlineData(NoAccess)] // A server that closes the connection without a word, as git daemon does above its limit.
    [InlineData("Connection to git.example closed by remote host." + NoAccess)]
    [InlineData("error: failed to push some refs to 'ssh://git.example/x.git'")] // The connection was cut after the origin's last word.
    [InlineData("Timeout, server git.example not responding." + NoAccess)]
    [InlineData("banner exchange: Connection to 10.0.0.1 port 22: invalid format" + NoAccess)]
    [InlineData("exec request failed on channel 0" + NoAccess)]
    [InlineData("bash: fork: retry: Resource temporarily unavailable" + NoAccess)]
    [InlineData("Received disconnect from 10.0.0.1 port 22:12: maintenance" + NoAccess)]
    [InlineData("remote: \nremote: ERROR: The server is currently undergoing maintenance.\nremote: " + NoAccess)]
    [InlineData("error: RPC failed; curl 56 GnuTLS recv error (-110): The TLS connection was non-properly terminated.\nfatal: early EOF")]
    [InlineData("send-pack: unexpected disconnect while reading sideband packet" + HungUp)]
    [InlineData("fatal: unable to access 'https://x/': The requested URL returned error: 503")]
    [InlineData("error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502" + HungUp)]
    [InlineData("fatal: unable to access 'https://x/': OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x:443")]
    [InlineData("remote: Internal Server Error" + Hook)]
    [InlineData("remote: This repository moved. Please use the new location:\nfatal: early EOF")] // The notice does not end a push.
    public void What_is_unreachable_is_tried_again(string said) => Check(said, GitFaults.Unreachable, isPassing: true);

    // What stands in front of the text is the forge that says it.
    [Theory]
    [InlineData("GitHub", "remote: error: GH006: Protected branch update failed for refs/heads/a." + Hook, GitFaults.PushRefused)]
    [InlineData("GitHub", "remote: error: GH013: Repository rule violations found for refs/heads/a.\nremote: - Changes must be made through a pull request.\n ! [remote rejected] a -> a (push declined due to repository rule violations)", GitFaults.PushRefused)]
    [InlineData("GitLab", "remote: GitLab: You are not allowed to push code to protected branches on this project." + Hook, GitFaults.PushRefused)]
    [InlineData("GitLab", "remote: GitLab: Branch name 'a' does not follow the pattern '^f/'" + Hook, GitFaults.PushRefused)]
    [InlineData("Gitea", "remote: Not allowed to push to protected branch a" + Hook, GitFaults.PushRefused)]
    [InlineData("Bitbucket", "remote: Permission denied to update branch a." + Hook, GitFaults.PushRefused)]
    [InlineData("Bitbucket Server", "remote: Branch refs/heads/a can only be modified through pull requests." + Hook, GitFaults.PushRefused)]
    [InlineData("Azure DevOps", " ! [remote rejected] a -> a (TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.)", GitFaults.PushRefused)]
    [InlineData("git", "remote: no such thing" + Hook, GitFaults.PushRefused)]
    [InlineData("git", "remote: error: hook declined to update refs/heads/a\n ! [remote rejected] a -> a (hook declined)", GitFaults.PushRefused)]
    [InlineData("git", " ! [remote rejected] a -> a (shallow update not allowed)", GitFaults.PushRefused)]
    [InlineData("git", " ! [remote rejected] a -> refs/fleet/a/1 (deny updating a hidden ref)", GitFaults.PushRefused)]
    [InlineData("git", "fatal: the receiving end does not support --signed push" + HungUp, GitFaults.SignedPush)]
    [InlineData("GitHub", "remote: Permission to o/r.git denied to u.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.PushDenied)]
    [InlineData("GitHub", "remote: Write access to repository not granted.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.PushDenied)]
    [InlineData("GitHub", "ERROR: The key you are authenticating with has been marked as read only." + NoAccess, GitFaults.PushDenied)]
    [InlineData("GitLab", "remote: You are not allowed to push code to this project.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.PushDenied)]
    [InlineData("GitLab", "remote: ERROR: This deploy key does not have write access to this project." + NoAccess, GitFaults.PushDenied)]
    [InlineData("Gitea", "remote: Gitea: User: 1:u with Key: 2:k is not authorized to write to o/r." + NoAccess, GitFaults.PushDenied)]
    [InlineData("Bitbucket", "repository access denied. access via a deployment key is read-only." + NoAccess, GitFaults.PushDenied)]
    [InlineData("Azure DevOps", " ! [remote rejected] a -> a (TF401027: You need the Git 'GenericContribute' permission to perform this action.)", GitFaults.PushDenied)]
    [InlineData("git", "remote: error: insufficient permission for adding an object to repository database ./objects\n ! [remote rejected] a -> a (unpacker error)", GitFaults.PushDenied)]
    [InlineData("gitolite", "remote: FATAL: W refs/heads/a x u DENIED by fallthru" + Hook, GitFaults.PushDenied)]
    [InlineData("GitHub", "remote: This repository was archived so it is read-only.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.ReadOnly)]
    [InlineData("GitLab", "remote: You can't push code to an archived project.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.ReadOnly)]
    [InlineData("GitHub", "remote: Repository 'o/r' is disabled.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.ReadOnly)]
    [InlineData("GitHub", "remote: Support for password authentication was removed on August 13, 2021.\nfatal: Authentication failed for 'https://x/'", GitFaults.AuthFailed)]
    [InlineData("GitLab", "remote: HTTP Basic: Access denied. The provided password or token is incorrect\nfatal: Authentication failed for 'https://x/'", GitFaults.AuthFailed)]
    [InlineData("GitHub", "ERROR: Repository not found." + NoAccess, GitFaults.NotFound)]
    [InlineData("GitLab", "remote: The project you were looking for could not be found or you don't have permission to view it." + NoAccess, GitFaults.NotFound)]
    [InlineData("Bitbucket", "conq: repository does not exist." + NoAccess, GitFaults.NotFound)]
    [InlineData("Azure DevOps", "remote: TF401019: The Git repository with name or identifier r does not exist or you do not have permissions for the operation you are attempting." + NoAccess, GitFaults.NotFound)]
    [InlineData("GitLab", "remote: Project 'o/r' was moved to 'p/r'.\nremote: Please update your Git remote and try again:" + NoAccess, GitFaults.Moved)]
    public void A_refusal_of_the_repository_the_branch_or_the_account_is_final(string forge, string said, string code) => Check(said, code, isPassing: false, forge);

    [Theory]
    [InlineData("GitHub", "remote: error: GH001: Large files detected. You may want to try Git Large File Storage." + Hook, GitFaults.PushTooLarge)]
    [InlineData("GitLab", "remote: GitLab: File \"x\" is larger than the allowed size of 100 MiB" + Hook, GitFaults.PushTooLarge)]
    [InlineData("git", "remote: fatal: pack exceeds maximum allowed size\nerror: remote unpack failed: unpack-objects abnormal exit\n ! [remote rejected] a -> a (unpacker error)", GitFaults.PushTooLarge)]
    [InlineData("a proxy", "error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413" + HungUp, GitFaults.PushTooLarge)]
    [InlineData("GitHub", "remote: error: GH013: Repository rule violations found for refs/heads/a.\nremote: - GITHUB PUSH PROTECTION\nremote:     - Push cannot contain secrets" + Hook, GitFaults.SecretFound)]
    [InlineData("GitLab", "remote: GitLab: PUSH BLOCKED: Secrets detected in code changes" + Hook, GitFaults.SecretFound)]
    [InlineData("Azure DevOps", " ! [remote rejected] a -> a (VS403654: The push was rejected because it contains one or more secrets.)", GitFaults.SecretFound)]
    [InlineData("GitHub", "remote: error: GH008: Your push referenced at least 1 unknown Git LFS object:" + Hook, GitFaults.LfsMissing)]
    [InlineData("GitLab", "remote: GitLab: LFS objects are missing. Ensure LFS is properly set up or try a manual \"git lfs push --all\"." + Hook, GitFaults.LfsMissing)]
    [InlineData("GitLab", "remote: GitLab: Your push to this repository has been rejected because the namespace storage limit of 10 MB has been reached." + Hook, GitFaults.OriginFull)]
    [InlineData("Bitbucket", "remote: repository is in read only mode (over 2 GB size limit)." + Hook, GitFaults.OriginFull)]
    [InlineData("Azure DevOps", " ! [remote rejected] a -> a (The object will increase this repository size by 7772458 bytes (the limit is 4194304 bytes).)", GitFaults.OriginFull)]
    [InlineData("git", "remote: fatal: write error: No space left on device\nerror: remote unpack failed: index-pack abnormal exit\n ! [remote rejected] a -> a (unpacker error)", GitFaults.OriginFull)]
    [InlineData("git", "remote: error: cannot lock ref 'refs/heads/a/t': 'refs/heads/a' exists; cannot create 'refs/heads/a/t'\n ! [remote rejected] a -> a/t (failed to update ref)", GitFaults.NameTaken)]
    [InlineData("git", " ! [rejected]        a -> a (stale info)", GitFaults.BranchMoved)]
    [InlineData("git", " ! [rejected]        a -> a (non-fast-forward)", GitFaults.BranchMoved)]
    [InlineData("git", "remote: fatal: unable to read d00491fd\nremote: aborting due to possible repository corruption on the remote side.\nfatal: early EOF\nfatal: fetch-pack: invalid index-pack output", GitFaults.OriginDamaged)]
    [InlineData("git", "remote: fatal: could not fetch 0cfbf088 from promisor remote\nfatal: early EOF", GitFaults.OriginDamaged)]
    public void A_refusal_of_what_is_pushed_or_of_where_it_would_go_is_final(string forge, string said, string code) => Check(said, code, isPassing: false, forge);

    [Theory]
    [InlineData("a forge", "fatal: unable to access 'https://x/': The requested URL returned error: 429", GitFaults.RateLimited)]
    [InlineData("GitHub", "remote: You have exceeded a secondary rate limit.\nfatal: unable to access 'https://x/': The requested URL returned error: 403", GitFaults.RateLimited)]
    [InlineData("GitLab", "remote: Retry later\nfatal: unable to access 'https://x/': The requested URL returned error: 429", GitFaults.RateLimited)]
    [InlineData("git", "remote: error: cannot lock ref 'refs/heads/a': Unable to create 'a.lock': File exists.\n ! [remote rejected] a -> a (failed to update ref)", GitFaults.RefLocked)]
    [InlineData("git", " ! [remote rejected] a -> a (cannot lock ref 'refs/heads/a': is at 1 but expected 2)", GitFaults.RefLocked)]
    public void What_the_origin_may_take_in_a_while_is_tried_again(string forge, string said, string code) => Check(said, code, isPassing: true, forge);

    [Fact]
    public void What_decided_is_told_first_and_no_line_is_without_end()
    {
        var said = $"remote: Welcome\nremote: {new string('x', 5000)}\nremote: GitLab: LFS objects are missing.{Hook}";

        var fault = GitFaults.Explain(["push"], new ToolOutcome(1, "", said, TimedOut: false));

        Assert.StartsWith("lfs_objects_missing: git push: remote: GitLab: LFS objects are missing. | remote: Welcome | ", fault.Message, StringComparison.Ordinal);
        Assert.InRange(fault.Message.Length, 1, 2000);
    }

    [Fact]
    public void Every_code_has_advice_of_its_own_or_that_of_the_unknown()
    {
        var codes = GitSigns.InOrder.Select(sign => sign.Code).Distinct().Where(code => code != GitFaults.Other).ToList();

        Assert.Equal(codes.Count, codes.Select(GitFaults.HintFor).Distinct().Count());
        Assert.DoesNotContain(GitFaults.HintFor(GitFaults.Other), codes.Select(GitFaults.HintFor));
    }

    [Fact]
    public void A_git_that_took_too_long_says_so_and_is_worth_another_try() =>
        Assert.True(GitFaults.Explain(["fetch"], new ToolOutcome(-1, "", "no end", TimedOut: true)) is { Code: GitFaults.TimedOut, IsPassing: true });

    [Theory]
    [InlineData(141, GitFaults.Unreachable)]
    [InlineData(137, GitFaults.Interrupted)]
    [InlineData(143, GitFaults.Interrupted)]
    [InlineData(139, GitFaults.Other)]
    [InlineData(128, GitFaults.Other)]
    public void A_git_that_was_ended_without_a_word_is_worth_another_try_where_somebody_else_ended_it(int exitCode, string code) =>
        Assert.True(GitFaults.Explain(["ls-remote"], new ToolOutcome(exitCode, "", "", TimedOut: false)) is { IsPassing: var passing, Code: var found } && found == code && passing == (code != GitFaults.Other));

    private static void Check(string said, string code, bool isPassing, string forge = "git")
    {
        var fault = GitFaults.Explain(["push", "--quiet"], new ToolOutcome(128, "", said, TimedOut: false));

        Assert.True(code == fault.Code, $"{forge}: {fault.Code}, not {code}: {said}");
        Assert.Equal(isPassing, fault.IsPassing);
        Assert.StartsWith($"{code}: git push: ", fault.Message, StringComparison.Ordinal);
        Assert.NotEmpty(fault.Hint);
    }
}
