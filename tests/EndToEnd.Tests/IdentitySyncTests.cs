namespace FleetSidecar.EndToEnd;

/// <summary>The fleet's code comes, this agent's identity stays: both methods, by hand, from every state that the field has seen.</summary>
public sealed class IdentitySyncTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 120_000)]
    [InlineData("in-place")]
    [InlineData("swap")]
    public async Task L17_the_masters_identity_comes_with_the_code_and_is_never_written(string method)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        var before = scene.Ours();

        var said = await scene.MustAsync("sync");

        Assert.Equal(scene.Newest, scene.CodeVersion());
        Assert.Superset(before, scene.Ours());
        Assert.Equal(IdentityScene.Files.Count() * 3, scene.Ours().Count);
        Assert.False(IdentityScene.HasForeign(scene.Tree), said);
        Assert.False(Directory.Exists(Path.Combine(scene.Tree, "app", "only-1")) && method == "in-place");
        Assert.Contains("kept      SOUL.md", said, StringComparison.Ordinal);
        Assert.Contains("identity_collision", File.ReadAllText(Path.Combine(scene.Home, "record.json")), StringComparison.Ordinal);
        Assert.Contains("already at", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }
}
