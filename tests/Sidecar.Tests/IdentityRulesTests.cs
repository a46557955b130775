using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Identity;

namespace FleetSidecar.Tests;

/// <summary>What makes bytes ours, which paths a pattern means, and what of the configuration is refused.</summary>
public sealed class IdentityRulesTests
{
    private static readonly SealedFile Memory = new() { Path = "MEMORY.md", Rule = IdentityRule.Mark, Sha256 = IdentityRules.Sha256("I am Iris"u8), Mark = "I am Iris", Mode = 0, Owner = 0, Group = 0 };

    [Theory]
    [InlineData("I am Iris", null)]
    [InlineData("I am Master. I am Clara. I am Iris", null)]
    [InlineData("I am Master", "the mark 'I am Iris' is not in it")]
    [InlineData("i am iris", "the mark 'I am Iris' is not in it")]
    [InlineData("", "it is empty")]
    public void A_file_that_changes_is_ours_by_its_mark_whoever_else_it_speaks_of(string text, string? complaint) =>
        Assert.Equal(complaint, IdentityRules.Complaint(Memory, Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void A_sealed_file_and_a_sealed_copy_are_ours_only_to_the_byte()
    {
        var soul = Memory with { Rule = IdentityRule.Sealed };

        Assert.Null(IdentityRules.Complaint(soul, "I am Iris"u8));
        Assert.Equal("it is not what was sealed", IdentityRules.Complaint(soul, "I am Iris."u8));
        Assert.Equal("it is not in the seal", IdentityRules.Complaint(soul with { Sha256 = "" }, "I am Iris"u8));
        Assert.Equal("the copy is not what was sealed", IdentityRules.CopyComplaint(Memory, "I am Iris, later"u8));
        Assert.Equal("it is not UTF-8 text", IdentityRules.Complaint(Memory, [.. "I am Iris"u8, 0xff]));
    }

    [Theory]
    [InlineData("SOUL.md", "SOUL.md", true)]
    [InlineData("*.md", "SOUL.md", true)]
    [InlineData("*.md", "memory/SOUL.md", false)]
    [InlineData("memory/*.md", "memory/a.md", true)]
    [InlineData("memory/*.md", "memory/b/a.md", false)]
    [InlineData("memory/**", "memory/b/a.md", true)]
    [InlineData("**/SOUL.md", "SOUL.md", true)]
    [InlineData("**/SOUL.md", "a/b/SOUL.md", true)]
    [InlineData("SOUL.?d", "SOUL.md", true)]
    public void A_pattern_means_what_git_means_by_it(string pattern, string path, bool matches) => Assert.Equal(matches, IdentityPattern.Matches(pattern, path));

    [Theory]
    [InlineData("identity.files", """{ "tree": "/srv/code" }""")]
    [InlineData("identity.files[0].mark", """{ "tree": "/srv/code", "files": [ { "path": "SOUL.md" } ] }""")]
    [InlineData("identity.files[0].mark", """{ "tree": "/srv/code", "files": [ { "path": "SOUL.md", "mark": "  " } ] }""")]
    [InlineData("identity.files[0].path", """{ "tree": "/srv/code", "files": [ { "path": "../SOUL.md", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.files[0].path", """{ "tree": "/srv/code", "files": [ { "path": ".git/config", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.files[1].path", """{ "tree": "/srv/code", "files": [ { "path": "a", "mark": "I am Iris" }, { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.files[0].rule", """{ "tree": "/srv/code", "files": [ { "path": "a", "rule": "hash", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.files[0].table", """{ "tree": "/srv/code", "files": [ { "path": "a", "rule": "sqlite", "table": "x; DROP" } ] }""")]
    [InlineData("identity.tree", """{ "tree": "code", "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.tree", """{ "tree": "/var/lib", "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.tree", """{ "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.upstream.url", """{ "tree": "/srv/code", "interval": "01:00:00", "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.upstream.url", """{ "tree": "/srv/code", "upstream": { "url": "https://me:secret@host/x.git" }, "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.upstream.url", """{ "tree": "/srv/code", "upstream": { "url": "https://token@host/x.git" }, "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.upstream.url", """{ "tree": "/srv/code", "upstream": { "url": "ssh://git:secret@host/x.git" }, "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.upstream.commit", """{ "tree": "/srv/code", "upstream": { "commit": "main" }, "files": [ { "path": "a", "mark": "I am Iris" } ] }""")]
    [InlineData("identity.contacts.path", """{ "tree": "/srv/code", "files": [ { "path": "a", "mark": "I am Iris" } ], "contacts": {} }""")]
    [InlineData("identity.restart", """{ "tree": "/srv/code", "files": [ { "path": "a", "mark": "I am Iris" } ], "restart": [ [] ] }""")]
    public void A_wrong_section_names_the_key(string key, string section)
    {
        var config = new SidecarConfig { Identity = System.Text.Json.JsonSerializer.Deserialize(section, ConfigJson.Default.IdentityOptions)! };

        Assert.Equal(key, IdentityProblems.In(config).First().Key);
    }
}
