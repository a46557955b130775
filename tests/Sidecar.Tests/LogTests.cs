using FleetSidecar.Ground.Logs;

namespace FleetSidecar.Tests;

/// <summary>What the redactor takes out, and what it leaves.</summary>
public sealed class LogTests
{
    [Theory]
    [InlineData("cloning https://user:pw@git.example/x", "cloning https://***@git.example/x")]
    [InlineData("cloning https://ghp_token@git.example/x and ssh://git@h/x", "cloning https://***@git.example/x and ssh://***@h/x")]
    [InlineData("Authorization: Bearer abc.def", "Authorization: Bearer ***")]
    [InlineData("mail someone@example.org about http://x/y", "mail someone@example.org about http://x/y")]
    [InlineData("the token is fleet_known-secret!", "the token is ***!")]
    public void Known_values_and_secret_forms_are_masked(string text, string expected)
    {
        var redactor = new Redactor();
        redactor.Learn("fleet_known-secret");

        Assert.Equal(expected, redactor.Clean(text));
    }

    [Theory]
    [InlineData('x')]
    [InlineData('\x1b')]
    public void A_line_has_an_end_however_much_an_agent_said(char letter)
    {
        var line = LogLine.OneLine(new string(letter, 400_000));

        Assert.InRange(line.Length, 8_000, 48 * 1024); // journald's LineMax=.
        Assert.EndsWith("… (392000 characters more)", line, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_prints_as_stars() => Assert.Equal("***", $"{new Secret("x")}");
}
