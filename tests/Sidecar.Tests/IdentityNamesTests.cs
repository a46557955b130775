using System.Text;
using FleetSidecar.Identity;

namespace FleetSidecar.Tests;

/// <summary>Names that git prints and people read, and what was written late.</summary>
public sealed class IdentityNamesTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("\"caf\\303\\251\\n\\\"x\\\\\"", "café\n\"x\\")]
    public void A_quoted_name_is_the_bytes_that_it_stands_for(string printed, string name) => Assert.Equal(name, Encoding.UTF8.GetString(GitNames.Unquote(printed)));

    [Theory]
    [InlineData("café", "café")]
    [InlineData("a\nb\u001b[2J", "a\\nb\\u001b[2J")]
    [InlineData("a\u202eb", "a\\u202eb")]
    public void A_name_is_shown_as_text_on_one_line(string name, string shown) => Assert.Equal(shown, GitNames.Show(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(name))));

    [Theory]
    [InlineData("a\n", "a\nb\n", "a\nc\n", true, "b\n")]
    [InlineData("a\n", "a\nb\n", "a\nb\n", true, "b\n")]
    [InlineData("a\n", "a\nb\n", "a\nb\nc\n", false, "")]
    [InlineData("a\n", "a\nb\nd\n", "a\nb\nc\n", false, "d\n")]
    [InlineData("a\n", "a\n- b\n", "a\n- c\n", false, "- b\n")]
    [InlineData("a\n", "x\n", "a\n", true, null)]
    public void What_was_added_late_is_found_and_not_doubled(string carried, string old, string current, bool certain, string? missing) =>
        Assert.Equal(missing, LateWords.Missing(Encoding.UTF8.GetBytes(carried), Encoding.UTF8.GetBytes(old), Encoding.UTF8.GetBytes(current), certain) is { } tail ? Encoding.UTF8.GetString(tail) : null);
}
