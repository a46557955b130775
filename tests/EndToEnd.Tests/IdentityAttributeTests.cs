namespace FleetSidecar.EndToEnd;

/// <summary>Attributes of the upstream that do not fit its files, and of the agent that fit nothing: what a fresh checkout gives is right, and what an agent wrote is saved.</summary>
public sealed class IdentityAttributeTests : IDisposable
{
    private const string Plain = "first\\r\\nsecond\\r\\n";
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 240_000)]
    [InlineData("in-place", Plain, "text eol=crlf")]
    [InlineData("in-place", Plain, "text eol=lf")]
    [InlineData("in-place", "$Id: 0123456789$\\n", "ident")]
    [InlineData("in-place", "caf\\303\\251\\n", "working-tree-encoding=UTF-16")]
    [InlineData("in-place", "no text: \\377\\376\\n", "working-tree-encoding=UTF-16")]
    [InlineData("in-place", Plain, "working-tree-encoding=nobodys")]
    [InlineData("swap", Plain, "text eol=crlf")]
    [InlineData("swap", Plain, "text eol=lf")]
    [InlineData("swap", "$Id: 0123456789$\\n", "ident")]
    [InlineData("swap", "caf\\303\\251\\n", "working-tree-encoding=UTF-16")]
    [InlineData("swap", "no text: \\377\\376\\n", "working-tree-encoding=UTF-16")]
    [InlineData("swap", Plain, "working-tree-encoding=nobodys")]
    public async Task What_a_fresh_checkout_of_the_version_gives_is_right_and_only_what_the_agent_wrote_is_rescued(string method, string content, string attribute)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.MustAsync("sync");
        var odd = "odd-\\377.txt"; // A name that is no text.
        await PushAsync(scene, $"put '{content}' app/notes.txt; put '{content}' \"app/$(printf '{odd}')\"", "notes");
        await scene.MustAsync("sync");
        await PushAsync(scene, $"put '*.txt {attribute}\\n' .gitattributes; put '2b\\n' app/version", "attributes");

        Assert.Contains("identity intact", await scene.MustAsync("sync"), StringComparison.Ordinal);
        Assert.Contains("already at", await scene.MustAsync("sync"), StringComparison.Ordinal);

        await IdentityScene.GitAsync(_directory.Path, "clone", "--quiet", scene.Upstream, _directory["fresh"]);
        await TestProgram.MustAsync("/bin/bash", "-c", $"for name in notes.txt \"$(printf '{odd}')\"; do cmp '{_directory["fresh"]}'/app/\"$name\" '{scene.Tree}'/app/\"$name\"; done");
        Assert.Equal("2b", scene.CodeVersion());
        Assert.Empty(await RescuedAsync(scene));

        File.AppendAllText(Path.Combine(scene.Tree, "app", "notes.txt"), "of the agent\n");
        await PushAsync(scene, "put '3b\\n' app/version; put 'of the upstream\\n' app/notes.txt", "next");
        await scene.MustAsync("sync");
        Assert.Contains("of the agent", await WordsAsync(scene, Assert.Single(await RescuedAsync(scene))), StringComparison.Ordinal);

        await scene.MustAsync("sync", "--rollback");
        Assert.Equal("2b", scene.CodeVersion());
        Assert.Contains("of the agent", await TextAsync(Path.Combine(scene.Tree, "app", "notes.txt")), StringComparison.Ordinal);
        await scene.MustAsync("sync");
        Assert.Equal("3b", scene.CodeVersion());
    }

    [Theory(Timeout = 240_000)]
    [InlineData("in-place", "* working-tree-encoding=nobodys\n")]
    [InlineData("in-place", "* working-tree-encoding=UTF-16\n")]
    [InlineData("in-place", "* text eol=crlf ident\n")]
    [InlineData("swap", "* working-tree-encoding=nobodys\n")]
    [InlineData("swap", "* working-tree-encoding=UTF-16\n")]
    [InlineData("swap", "* text eol=crlf ident\n")]
    public async Task Attributes_that_the_agent_left_stop_no_sync_and_hide_no_work(string method, string attributes)
    {
        var scene = await IdentityScene.CreateAsync(_directory, method);
        await scene.MustAsync("sync");
        await PushAsync(scene, "put '$Id: of the upstream$\\n' app/keyword", "keyword");
        await scene.MustAsync("sync");
        foreach (var place in new[] { "", "app" })
        {
            File.WriteAllText(Path.Combine(scene.Tree, place, ".gitattributes"), attributes);
        }

        File.AppendAllText(Path.Combine(scene.Tree, "app", "module-1"), "of the agent\n");
        File.WriteAllText(Path.Combine(scene.Tree, "app", "new"), "new of the agent\n");
        await PushAsync(scene, "put '3b\\n' app/version; put 'theirs\\n' app/module-1; put '$Id: newer$\\n' app/keyword; put 'new of the upstream\\n' app/new", "next");

        await scene.MustAsync("sync");

        Assert.Equal("3b", scene.CodeVersion());
        Assert.Equal("theirs", (await TextAsync(Path.Combine(scene.Tree, "app", "module-1"))).Trim('\u00fe', '\u00ff', '\r', '\n')); // In place, the line ends and the encoding may be what the agent's attributes ask for.
        var words = string.Join('\n', await Task.WhenAll((await RescuedAsync(scene)).Select(reference => WordsAsync(scene, reference))));
        Assert.Contains("of the agent", words, StringComparison.Ordinal);
        Assert.Contains("new of the agent", words, StringComparison.Ordinal);
        Assert.Contains("already at", await scene.MustAsync("sync"), StringComparison.Ordinal);
    }

    // A commit whose blobs are what the test says, whatever attributes would make of them.
    private static async Task PushAsync(IdentityScene scene, string puts, string message) => await TestProgram.MustAsync("/bin/bash", "-c", $$"""
        set -eu
        cd '{{scene.Seed}}'
        export GIT_INDEX_FILE="$PWD/.git/of-the-test"
        git read-tree HEAD
        put() { git update-index --add --cacheinfo 100644 "$(printf "$1" | git hash-object -w --stdin)" "$2"; }
        {{puts}}
        commit=$(git -c user.name=tester -c user.email=tester@fleet.invalid commit-tree "$(git write-tree)" -p HEAD -m '{{message}}')
        git update-ref HEAD "$commit"
        git push --quiet origin HEAD:main
        """);

    private static async Task<string[]> RescuedAsync(IdentityScene scene) =>
        (await IdentityScene.GitAsync(Path.Combine(scene.Home, "upstream.git"), "for-each-ref", "--format=%(refname)", "refs/fleet/sync-rescue")).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    // Whatever encoding it was saved in.
    private static async Task<string> WordsAsync(IdentityScene scene, string reference) =>
        (await IdentityScene.GitAsync(Path.Combine(scene.Home, "upstream.git"), "-c", "core.quotePath=true", "show", "--text", "--format=", reference)).Replace("\0", "", StringComparison.Ordinal);

    private static async Task<string> TextAsync(string file) => System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file)).Replace("\0", "", StringComparison.Ordinal);
}
