using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What an agent of the same user puts in the place of the files that git, its library for http and ssh read from the home.</summary>
public sealed class UserGitFilesTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(".netrc", "HOME=/dev/null")]
    [InlineData(".ssh/config", "GIT_SSH_COMMAND=ssh -oBatchMode=yes -F ")]
    [InlineData(".ssh/known_hosts", "GIT_SSH_COMMAND=ssh -oBatchMode=yes -oUserKnownHostsFile=/dev/null")]
    [InlineData(".ssh/known_hosts2", "GIT_SSH_COMMAND=ssh -oBatchMode=yes -oUserKnownHostsFile=/dev/null")]
    [InlineData(".gitconfig", "GIT_CONFIG_GLOBAL=/dev/null")]
    public async Task Git_is_kept_from_a_pipe_and_the_self_test_names_it(string file, string expected)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_directory[file])!);
        _directory.Write(file, "# a file");
        Assert.Null(UserGitFiles.FirstTrap(_directory.Path));
        Assert.Empty(UserGitFiles.Bypass(_directory.Path).Variables);

        File.Delete(_directory[file]);
        await TestProgram.MustAsync("/usr/bin/mkfifo", _directory[file]);

        Assert.Equal(_directory[file], UserGitFiles.FirstTrap(_directory.Path));
        Assert.Contains(UserGitFiles.Bypass(_directory.Path).Variables, one => $"{one.Key}={one.Value}".StartsWith(expected, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(".gitconfig")]
    [InlineData(".config/git/config")]
    public async Task A_pipe_for_the_http_library_leaves_git_its_own_configuration(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_directory[file])!);
        _directory.Write(file, "[user]\n\tname = somebody\n");
        await TestProgram.MustAsync("/usr/bin/mkfifo", _directory[".netrc"]);

        var (_, variables) = UserGitFiles.Bypass(_directory.Path);
        var said = await TestProgram.MustAsync("/usr/bin/env", [.. variables.Select(one => $"{one.Key}={one.Value}"), "git", "config", "--get", "user.name"]);

        Assert.Equal("somebody", said.Trim());
    }
}
