using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>Which addresses may be fetched and how branches are called.</summary>
public sealed class RepositoryRulesTests
{
    [Theory]
    [InlineData("https://git.example/app.git", true)]
    [InlineData("ssh://git@git.example/app.git", true)]
    [InlineData("git@git.example:team/app.git", true)]
    [InlineData("/srv/git/app.git", true)]
    [InlineData("FILE:///srv/git/app.git", true)]
    [InlineData("/srv/git/my app.git", true)]
    [InlineData("ext::sh -c id", false)]
    [InlineData("ext::id", false)]
    [InlineData("--upload-pack=id", false)]
    [InlineData("-x", false)]
    [InlineData("ftp://git.example/app.git", false)]
    [InlineData("relative/path", false)]
    [InlineData("fd::17", false)]
    [InlineData("https://git.example/a b", false)]
    [InlineData("https://git.example/a\nb", false)]
    [InlineData("", false)]
    public void Only_forms_that_cannot_run_a_program_are_fetched(string address, bool fine) =>
        Assert.Equal(fine, RepositoryRules.Refuse(address, ["*", address]) is null);

    [Fact]
    public void Only_repositories_on_the_list_are_fetched()
    {
        Assert.Null(RepositoryRules.Refuse("https://git.example/team/app.git", ["https://git.example/team/*"]));
        Assert.NotNull(RepositoryRules.Refuse("https://git.example/other/app.git", ["https://git.example/team/*"]));
        Assert.NotNull(RepositoryRules.Refuse("https://git.example/team/app.git", []));
    }

    [Theory]
    [InlineData("/srv/git/app.git")]
    [InlineData("file:///srv/git/app.git")]
    [InlineData("File:///srv/git/app.git")]
    public void A_directory_of_this_machine_is_covered_by_no_pattern_and_by_no_other_spelling(string address)
    {
        Assert.Contains("word for word", RepositoryRules.Refuse(address, ["*", "/srv/*", "file:*", "/srv/git/app.git/", "/srv/git/../git/app.git"])!.Text, StringComparison.Ordinal);
        Assert.Null(RepositoryRules.Refuse(address, [address]));
    }
}
