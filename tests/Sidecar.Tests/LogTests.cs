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
    [InlineData("cloning https://user:p@ss@word@git.example/x", "cloning https://***@git.example/x")]
    [InlineData("user:p@ss@git.example: not found", "user:***@git.example: not found")]
    [InlineData("Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic ***")]
    [InlineData("{\"authorization\":\"token abc\"}", "{\"authorization\":\"token ***\"}")]
    [InlineData("PRIVATE-TOKEN: short", "PRIVATE-TOKEN: ***")]
    [InlineData("token 0123456789abcdef0123 and Basic dXNlcjpwYXNzd29yZA==", "token *** and Basic ***")]
    [InlineData("a basic understanding of the token bucket, authorization: refused", "a basic understanding of the token bucket, authorization: refused")]
    [InlineData("it said fleet_known-…", "it said ***…")]
    [InlineData("…-secret. Then fleet_known-…", "…-secret. Then ***…")]
    [InlineData("…nown-secret. Then", "…***. Then")]
    [InlineData("key sk-ant-aaaaaaaaaaaaaaaaaaaaaaaa", "key ***")]
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

    [Theory]
    [InlineData("a.")]
    [InlineData("a:")]
    [InlineData("://a")]
    [InlineData("a@b:")]
    [InlineData("basic ")]
    [InlineData("…")]
    [InlineData("fleet_known-…")]
    public async Task Cleaning_ends_whatever_an_agent_printed(string piece)
    {
        var redactor = new Redactor();
        for (var number = 0; number < 1_000; number++)
        {
            redactor.Learn($"fleet_known-secret-{number}");
        }

        var text = string.Concat(Enumerable.Repeat(piece, 1_000_000 / piece.Length)) + "@://";

        // What is quadratic in a million characters takes hours.
        Assert.NotEmpty(await Task.Run(() => redactor.Clean(text)).WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public void The_tail_of_a_text_shows_no_half_of_a_secret()
    {
        var redactor = new Redactor();
        redactor.Learn("fleet_known-secret");

        Assert.Equal("**", redactor.Tail("x fleet_known-secret", 2));
    }

    [Fact]
    public void A_secret_is_known_as_it_stands_in_a_url_and_old_ones_are_forgotten_at_last()
    {
        var redactor = new Redactor();
        redactor.Learn("p@ss/word");
        Assert.Equal("?key=***", redactor.Clean("?key=p%40ss%2Fword"));

        for (var number = 0; number < 3_000; number++)
        {
            redactor.Learn($"renewed-token-{number:0000}");
        }

        Assert.Equal("*** p@ss/word", redactor.Clean("renewed-token-2999 p@ss/word"));
    }

    [Fact]
    public void A_secret_prints_as_stars() => Assert.Equal("***", $"{new Secret("x")}");
}
