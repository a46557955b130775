using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What a repository may hold before git is let near it.</summary>
public sealed class GitFilesTests : IDisposable
{
    private const string Name = "0123456789abcdef01234567.git";

    private readonly TempDir _scene = new();

    public GitFilesTests() => _scene.Write(".git/HEAD", "ref: refs/heads/main\n");

    public void Dispose() => _scene.Dispose();

    [Theory]
    [InlineData("objects/0a/0123456789abcdef0123456789abcdef012345", null)]
    [InlineData("objects/0a/tmp_obj_AbCdEf", null)]
    [InlineData("objects/pack/pack-x.idx", null)]
    [InlineData("objects/info/commit-graph", null)]
    [InlineData("refs/heads/iris/task", null)]
    [InlineData("objects/zz/0123456789abcdef0123456789abcdef012345", ".git/objects/zz is not")]
    [InlineData("objects/0A/0123456789abcdef0123456789abcdef012345", ".git/objects/0A is not")]
    [InlineData("objects/0a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ".git/objects/0a/aaaaaa")]
    [InlineData("objects/0a/0123456789abcdef0123456789abcdef012345/x", ".git/objects/0a/0123")]
    [InlineData("objects/info/commit-graphs/graph-x.graph", null)]
    [InlineData("objects/pack/multi-pack-index.d/x", null)]
    [InlineData("objects/tmp_objdir-incoming-x/pack/y", null)]
    [InlineData("objects/info/commit-graphs/x/y", ".git/objects/info/commit-graphs/x is not")]
    [InlineData("objects/info/other/x", ".git/objects/info/other is not")]
    [InlineData("objects/0a/commit-graphs/x", ".git/objects/0a/commit-graphs is not")]
    [InlineData("refs/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33/34/35/36/37/38/39/40/41/42/43/44/45/46/47/48/49/50/51", ".git/refs holds too many files")]
    public void Only_what_git_makes_may_be_there(string file, string? complaint)
    {
        Directory.CreateDirectory(_scene[".git/objects"]);
        Directory.CreateDirectory(_scene[".git/refs"]);
        _scene.Write($".git/{file}", "");

        Assert.Equal(complaint is null, Complaint() is null);
        Assert.Contains(complaint ?? "", Complaint() ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void More_packs_than_git_would_ever_make_are_a_complaint()
    {
        Directory.CreateDirectory(_scene[".git/refs"]);
        foreach (var number in Enumerable.Range(0, 20_001))
        {
            _scene.Write($".git/objects/pack/pack-{number}.idx", "");
        }

        Assert.Equal("the clone's .git/objects/pack holds too many files", Complaint());
    }

    [Theory]
    [InlineData("/mirrors/" + Name + "/objects\n", true)]
    [InlineData("", true)]
    [InlineData("/mirrors/" + Name + "/objects\n/home/agent/objects\n", false)]
    [InlineData("/mirrors/" + Name + "/objects/../../../home/objects", false)]
    [InlineData("/mirrors/x/../" + Name + "/objects", false)]
    [InlineData("/mirrors//" + Name + "/objects", false)]
    [InlineData("/mirrors/other.git/objects", false)]
    [InlineData("../../../mirrors/" + Name + "/objects", false)]
    public void Objects_are_borrowed_from_our_own_mirrors_alone(string alternates, bool fine)
    {
        Directory.CreateDirectory(_scene[".git/refs"]);
        _scene.Write(".git/objects/info/alternates", alternates);

        Assert.Equal(fine, GitView.Complaint(_scene[".git"], "/mirrors") is null);
        Assert.Equal(alternates.Length == 0, Complaint() is null);
    }

    private string? Complaint() => GitView.Complaint(_scene[".git"]);
}
