using FleetSidecar.Ground.CommandLine;

namespace FleetSidecar.Tests;

/// <summary>No text makes a terminal act, and text that would not is left as it is.</summary>
public sealed class VisibleTests
{
    [Theory]
    [InlineData("plain text, with ümläuts, 日本語 and 🙂", "plain text, with ümläuts, 日本語 and 🙂")]
    [InlineData("two\nlines\tand a tab", "two\nlines\tand a tab")]
    [InlineData("\u001b[31mred", "\\u001b[31mred")]
    [InlineData("\u001b]8;;http://x\u001b\\link", "\\u001b]8;;http://x\\u001b\\link")]
    [InlineData("a\rb", "a\\u000db")]
    [InlineData("a\r\nb", "a\r\nb")]
    [InlineData("a\r", "a\\u000d")]
    [InlineData("\u009b31m\u0085\u007f\b", "\\u009b31m\\u0085\\u007f\\u0008")]
    [InlineData("\u202egnp.\u2066", "\\u202egnp.\\u2066")]
    [InlineData("שלום \u200fمرحبا", "שלום \u200fمرحبا")]
    public void What_a_terminal_would_act_on_is_shown_and_everything_else_stays(string text, string shown) => Assert.Equal(shown, Visible.Text(text));

    [Fact]
    public void Whatever_the_text_nothing_that_acts_is_left()
    {
        var random = new Random(20_451);
        for (var round = 0; round < 100_000; round++)
        {
            var text = new string([.. Enumerable.Range(0, random.Next(12)).Select(_ => (char)(random.Next(3) == 0 ? random.Next(0x2000, 0x2070) : random.Next(0xa1)))]);

            var shown = Visible.Line(text);

            Assert.DoesNotContain(shown, letter => char.IsControl(letter) && letter != '\t');
            Assert.DoesNotContain(shown, letter => letter is (>= '\u202a' and <= '\u202e') or (>= '\u2066' and <= '\u2069'));
        }
    }

    [Fact]
    public void Bytes_that_come_in_pieces_are_shown_as_if_they_came_at_once()
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes("é\u009b🙂\r\n\u202ex\ry\u001b[0m");
        for (var size = 1; size <= bytes.Length; size++)
        {
            var seen = new System.Text.StringBuilder();
            using (var stream = new VisibleStream(text => seen.Append(text)))
            {
                foreach (var piece in bytes.Chunk(size))
                {
                    stream.Write(piece);
                }
            }

            Assert.Equal("é\\u009b🙂\r\n\\u202ex\\u000dy\\u001b[0m", seen.ToString());
        }
    }
}
