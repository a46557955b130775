using System.Text;
using System.Text.Json;

namespace FleetSidecar.Protocol.Tests;

/// <summary>What comes from outside is text when it is inside: half of an emoji, NUL, foreign bytes and marks are replaced once, at the border.</summary>
public sealed class OutsideTextTests
{
    [Theory]
    [InlineData(@"{""a"":""\ud83d""}", @"{""a"":""\ufffd""}")]
    [InlineData(@"{""\udc00"":1}", @"{""\ufffd"":1}")]
    [InlineData(@"{""a"":""x\u0000y""}", @"{""a"":""x\ufffdy""}")]
    [InlineData(@"""\ud83d\ud83d\ude00""", @"""\ufffd\ud83d\ude00""")]
    [InlineData(@"""\uD83D\u0000\uDE00""", @"""\ufffd\ufffd\ufffd""")]
    [InlineData(@"""\\ud83d""", @"""\\ud83d""")]
    [InlineData(@"""\\\ud83d""", @"""\\\ufffd""")]
    [InlineData(@"""\ud83d\ude00 😀 \\ \u00e9""", @"""\ud83d\ude00 😀 \\ \u00e9""")]
    [InlineData(@"""\ud83", @"""\ud83")]
    [InlineData(@"""\", @"""\")]
    [InlineData(@"""\ud83d", @"""\ufffd")]
    [InlineData("", "")]
    public void An_escape_that_stands_for_no_character_is_replaced_and_nothing_else_is(string given, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(given);

        Assert.Equal(expected, Encoding.UTF8.GetString(OutsideText.Json(bytes, out var repaired)));
        Assert.Equal(given != expected, repaired);
    }

    [Theory]
    [InlineData("EF BB BF 22 61 22", "\"a\"", false)]
    [InlineData("FF FE 22 00 61 00 22 00", "\"a\"", false)]
    [InlineData("FE FF 00 22 00 61 00 22", "\"a\"", false)]
    [InlineData("22 00 61 00 22 00", "\"a\"", false)]
    [InlineData("FF FE 22 00 3D D8 22 00", "\"\uFFFD\"", true)]
    [InlineData("FF FE 22 00 61", "\"\uFFFD", true)]
    [InlineData("22 E9 22", "\"\uFFFD\"", true)]
    [InlineData("22 F0 9F 98 22", "\"\uFFFD\"", true)]
    [InlineData("FF FE", "", false)]
    public void Marks_are_no_text_and_bytes_that_are_none_are_replaced(string hex, string expected, bool repaired)
    {
        var bytes = Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

        Assert.Equal(expected, Encoding.UTF8.GetString(OutsideText.Json(bytes, out var was)));
        Assert.Equal(repaired, was);
        Assert.Equal(expected, OutsideText.Decode(bytes));
    }

    [Fact]
    public void Text_with_nothing_wrong_is_passed_on_without_a_copy()
    {
        var bytes = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(@"{""text"":""a\\b \ud83d\ude00 😀""},", 10_000)));
        OutsideText.Json(bytes, out _);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(OutsideText.Json(bytes, out _) == bytes.AsSpan());

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void No_cut_of_ours_leaves_half_of_an_emoji_and_what_came_halved_is_replaced()
    {
        const string Text = "a😀b😀c";
        for (var length = 0; length <= Text.Length + 1; length++)
        {
            foreach (var cut in new[] { Printable.Cut(Text, length), Printable.Tail(Text, length), Printable.Head(Text, length), Printable.End(Text, length) })
            {
                Assert.Equal(OutsideText.Clean(cut), cut);
                Assert.DoesNotContain('\uFFFD', cut);
            }

            Assert.True(Printable.Tail(Text, length).Length <= length && Printable.Head(Text, length).Length <= length);
        }

        Assert.Equal("a\uFFFD", Printable.Cut("a\ud83d", 9));
        Assert.Equal("\uFFFDa\uFFFD", OutsideText.Clean("\ude00a\0"));
        Assert.Equal("\uFFFD😀\uFFFD", OutsideText.ReplaceHalves("\ude00😀\ud83d"));
    }

    [Theory]
    [InlineData(@"{""a"":""\ud83d""}")]
    [InlineData(@"{""\ud83d"":1}")]
    [InlineData(@"{""a"":[{""b\udc00"":""\u0000""}]}")]
    [InlineData(@"{""n"":1e999,""m"":123456789012345678901234567890}")]
    public void A_message_with_text_that_is_none_is_read_and_can_be_written_stored_and_read_again(string metadata)
    {
        var frame = Encoding.UTF8.GetBytes($$"""{"type":"task_assign","task_id":"t-1","generation":1,"description":"x \ud83d y","metadata":{{metadata}}}""");

        Assert.True(Frame.TryRead(frame, out HubMessage? read, out var refusal), refusal?.ToString());
        var assign = Assert.IsType<HubMessage.TaskAssign>(read);
        var stored = JsonSerializer.Serialize(assign, WireJson.Wire.TaskAssign);

        Assert.Equal("x \uFFFD y", assign.Description);
        Assert.True(Frame.TryRead(Frame.Write(assign), out HubMessage? again, out _));
        Assert.Equal(stored, JsonSerializer.Serialize((HubMessage.TaskAssign)again, WireJson.Wire.TaskAssign));
        Assert.NotNull(OutsideJson.Read(stored, WireJson.Wire.TaskAssign, out _));
    }

    [Fact]
    public void What_is_deep_enough_to_be_read_is_shallow_enough_to_be_written_and_stored()
    {
        for (var depth = 28; depth < 36; depth++)
        {
            var frame = Encoding.UTF8.GetBytes($$"""{"type":"task_assign","task_id":"t-1","metadata":{{string.Concat(Enumerable.Repeat("{\"a\":", depth))}}1{{new string('}', depth)}}}""");

            if (Frame.TryRead(frame, out HubMessage? read, out var refusal))
            {
                Assert.True(depth < WireLimits.MaxDepth);
                Assert.True(Frame.TryRead(Frame.Write(read), out HubMessage? _, out _));
                Assert.NotNull(OutsideJson.Read(JsonSerializer.Serialize((HubMessage.TaskAssign)read, WireJson.Wire.TaskAssign), WireJson.Wire.TaskAssign, out _));
            }
            else
            {
                Assert.True(depth >= WireLimits.MaxDepth);
                Assert.Equal(RefusalCode.NotJson, refusal.Code);
            }
        }
    }

    [Theory]
    [InlineData("\"tokens_used\":-1", "tokens_used is below zero")]
    [InlineData("\"result\":{\"status\":\"success\",\"commits_ahead\":-1}", "result.commits_ahead is below zero")]
    [InlineData("\"result\":{\"status\":\"success\",\"cost_usd\":-0.1}", "result.cost_usd is below zero")]
    [InlineData("\"result\":{\"status\":\"success\",\"diff\":{\"files\":1,\"insertions\":-5,\"deletions\":0,\"deleted_files\":0}}", "result.diff.insertions is below zero")]
    [InlineData("\"tokens_used\":1e999", "field $.tokens_used has the wrong form")]
    [InlineData("\"tokens_used\":0", null)]
    public void Numbers_that_nothing_can_have_are_refused_by_their_name(string field, string? complaint)
    {
        Frame.TryRead(Encoding.UTF8.GetBytes($$"""{"type":"task_complete","task_id":"t-1","generation":1,{{field}}}"""), out SidecarMessage? _, out var refusal);

        Assert.Equal(complaint, refusal?.Detail);
    }

    [Theory]
    [InlineData("{\"a\":[1 ", "Expected depth to be zero")]
    [InlineData("", "does not contain any JSON tokens")]
    [InlineData("{\"a\":NaN}", "'N' is an invalid start of a value. (line 1, byte 6)")]
    [InlineData("{\"a\":1,}", "trailing comma at the end which is not supported in this mode. (line 1, byte 8)")]
    public void Bad_structure_is_a_value_that_says_what_is_wrong(string json, string words)
    {
        Assert.Null(OutsideJson.Element(Encoding.UTF8.GetBytes(json), out var problem));
        Assert.Contains(words, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_document_of_millions_of_parts_is_refused_before_it_takes_the_memory_of_them()
    {
        var parts = Encoding.UTF8.GetBytes($"[{string.Join(',', Enumerable.Repeat('1', 2_000_000))}]");
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Null(OutsideJson.Element(parts, out var problem));

        Assert.Equal("it has more than 1000000 parts", problem);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
    }
}
