using System.Text;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>The record of a turn is found at the end of output of any size, whole, in bounded memory.</summary>
public sealed class LargeOutputTests : IDisposable
{
    private const int Noise = 70 * 1024 * 1024;
    private static readonly string Words = new('w', 3 * 1024 * 1024);

    private static readonly Dictionary<string, string[]> Records = new()
    {
        ["claude-code"] = [$$"""{"type":"result","subtype":"success","is_error":false,"result":"{{Words}}","session_id":"s","usage":{"input_tokens":3,"output_tokens":4} }"""],
        ["codex"] = [$$"""{"type":"item.completed","item":{"type":"agent_message","text":"{{Words}}"} }""", """{"type":"turn.completed","usage":{"input_tokens":3,"output_tokens":4}}"""],
        ["gemini"] = [$$"""{"type":"message","role":"assistant","content":"{{Words}}"}""", """{"type":"result","status":"success","stats":{"models":{"m":{"total_tokens":7}}}}"""],
        ["opencode"] =
        [
            $$"""{"type":"text","sessionID":"s","part":{"text":"{{Words}}"} }""", """{"type":"step_finish","part":{"reason":"tool-calls","tokens":{"total":3}}}""",
            """{"type":"step_finish","part":{"reason":"stop","tokens":{"total":4}}}""",
        ],
        ["openclaw"] = ["{", $""" "status": "ok", "result": """, "{", $$""" "payloads": [ { "text": "{{Words}}" } ],""", """ "meta": { "agentMeta": { "usage": { "total": 7 } } } } }"""],
    };

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("claude-code")]
    [InlineData("codex")]
    [InlineData("gemini")]
    [InlineData("opencode")]
    [InlineData("openclaw")]
    public void L43_The_record_behind_70_MiB_of_output_is_found_and_is_whole(string adapter)
    {
        var turn = Read(adapter, Write("progress " + new string('.', 500), [.. Records[adapter]]));

        Assert.True(turn.Ok, turn.Reason);
        Assert.EndsWith(new string('w', WireLimits.MaxResultOutput), turn.Output, StringComparison.Ordinal);
        Assert.Equal(7, turn.Tokens?.Total);
    }

    [Fact]
    public void A_line_that_is_longer_than_any_record_is_passed_over_and_the_reason_says_so()
    {
        var line = "{\"type\":\"result\",\"result\":\"" + new string('w', OutsideLines.LongestLine) + "\"}";
        var path = Write("x", [line], noise: 0);

        Assert.Contains($"a line of {line.Length} bytes is longer than the {OutsideLines.LongestLine} that are read", Read("claude-code", path).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Output_whose_middle_was_dropped_is_read_to_its_end()
    {
        var path = Write("{\"type\":\"system\",\"subtype\":\"init\",\"model\":\"m\"}", ["{\"type\":\"assistant\",\"mess", "[fleet-sidecar: 123 bytes dropped here]", "age\":\"cut\"}", .. Records["claude-code"]], noise: 100);

        Assert.Equal((true, "m"), (Read("claude-code", path).Ok, Read("claude-code", path).Model));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(200_000)]
    public void Lines_of_every_length_come_out_as_they_went_in(int length)
    {
        string[] lines = [new string('a', length), "", new string('b', length), "end"];

        foreach (var last in new[] { "", "\n" })
        {
            var read = new OutsideLines(() => new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines) + last))).Read().Select(line => Encoding.UTF8.GetString(line.Span)).ToList();

            Assert.Equal(lines, read);
        }
    }

    [Fact]
    public void Output_in_UTF_16_is_read_as_well()
    {
        var text = "progress\n" + """{"type":"result","subtype":"success","is_error":false,"result":"good \u00e9 😀"}""" + "\n";
        var lines = new OutsideLines(() => new MemoryStream([0xFF, 0xFE, .. Encoding.Unicode.GetBytes(text)]));

        var turn = AgentAdapters.Find("claude-code")!.ReadTurn(Some.Profile(), new TurnOutput(new ProcessEnd(0, 1), false, lines, ""))!;

        Assert.Equal("good é 😀", turn.Output);
    }

    [Fact]
    public void Reading_takes_no_memory_for_the_whole()
    {
        var path = Write("{\"type\":\"progress\",\"text\":\"" + new string('.', 500) + "\"}", Records["claude-code"]);
        var before = GC.GetAllocatedBytesForCurrentThread(); // Other tests run beside this one.

        var most = 0L;
        foreach (var line in OutsideLines.Of(path).Read())
        {
            most = Math.Max(most, line.Length);
        }

        Assert.True(most > Words.Length);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 * 1024 * 1024);
    }

    [Fact]
    public void Tokens_and_costs_that_nothing_can_have_are_not_told()
    {
        foreach (var number in new[] { "-5", "9223372036854775807", "1e999", "99999999999999999999999" })
        {
            foreach (var (adapter, records) in Records)
            {
                var text = string.Join('\n', Enumerable.Repeat(string.Join('\n', records), 3)).Replace(Words, "w", StringComparison.Ordinal)
                    .Replace(":3", $":{number}", StringComparison.Ordinal).Replace(":4", $":{number}", StringComparison.Ordinal).Replace(": 7", $": {number}", StringComparison.Ordinal).Replace(":7", $":{number}", StringComparison.Ordinal);

                Assert.InRange(Read(adapter, _directory.Write("out/wake/stdout", text)).Tokens?.Total ?? 0, 0, 1_000_000_000_000_000);
            }
        }
    }

    private string Write(string line, string[] records, int noise = Noise)
    {
        var path = _directory.Write("out/wake/stdout", "");
        using var file = new StreamWriter(path) { NewLine = "\n" };
        for (var written = 0; written < noise; written += line.Length + 1)
        {
            file.WriteLine(line);
        }

        foreach (var record in records)
        {
            file.WriteLine(record);
        }

        return path;
    }

    private static AgentTurn Read(string adapter, string path)
    {
        var profile = Some.Profile();
        profile.Adapter = adapter;
        return AgentAdapters.Find(adapter)!.ReadTurn(profile, new TurnOutput(new ProcessEnd(0, 1), false, OutsideLines.Of(path), ""))!;
    }
}
