using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What is removed from a mirror, and what of it makes the mirror a damaged one.</summary>
public sealed class MirrorFilesTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("objects/info/commit-graph")] // The service user's own fetch.writeCommitGraph makes one with every fetch.
    [InlineData("objects/info/commit-graphs/commit-graph-chain")]
    [InlineData("objects/pack/multi-pack-index")]
    [InlineData("commondir")]
    [InlineData("packed-refs.lock")]
    public void What_the_mirror_is_whole_without_is_removed_and_is_no_damage(string name)
    {
        var file = _directory.Write($"m/{name}", "x");

        Assert.False(MirrorFiles.Clear(_directory["m"], isOurTurn: true));

        Assert.False(File.Exists(file));
    }

    [Theory]
    [InlineData("HEAD")]
    [InlineData("refs/heads/main")]
    [InlineData("objects/info/alternates")]
    public void A_link_in_the_place_of_a_file_is_removed_and_is_damage(string name)
    {
        var kept = _directory.Write("elsewhere", "x");
        Directory.CreateDirectory(Path.GetDirectoryName(_directory[$"m/{name}"])!);
        File.CreateSymbolicLink(_directory[$"m/{name}"], kept);

        Assert.True(MirrorFiles.Clear(_directory["m"], isOurTurn: false));

        Assert.Null(new FileInfo(_directory[$"m/{name}"]).LinkTarget);
        Assert.True(File.Exists(kept));
    }

    [Fact]
    public void A_lock_stays_while_it_may_be_held()
    {
        var file = _directory.Write("m/packed-refs.lock", "x");

        MirrorFiles.Clear(_directory["m"], isOurTurn: false);

        Assert.True(File.Exists(file));
    }
}
