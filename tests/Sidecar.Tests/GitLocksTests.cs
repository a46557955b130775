using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>Locks of a git that was killed are removed in its repository and nowhere else.</summary>
public sealed class GitLocksTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 60_000), Trait("kind", "a link leads out of what is cleaned")]
    public void What_a_link_leads_to_is_not_the_repository()
    {
        _directory.Write("app/yarn.lock", "theirs");
        _directory.Write("app.git/refs/heads/deep/main.lock", "");
        _directory.Write("app.git/HEAD", "ref: refs/heads/main");
        foreach (var (link, target) in new[] { ("app.git/out", _directory["app"]), ("app.git/a", "."), ("app.git/b", "."), ("app.git/index.lock", "/nowhere") })
        {
            File.CreateSymbolicLink(_directory[link], target);
        }

        GitLocks.Remove(_directory["app.git"]);

        Assert.True(File.Exists(_directory["app/yarn.lock"]));
        Assert.Equal(["HEAD", "a", "b", "out", "refs"], Directory.GetFileSystemEntries(_directory["app.git"]).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.GetFiles(_directory["app.git/refs/heads/deep"]));
    }
}
