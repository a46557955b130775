using System.Text;
using FleetSidecar.Agents;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>The forms in which agents write a result file: what can be meant in one way only is taken, all else is refused by its name.</summary>
public sealed class ResultReportTests
{
    [Theory]
    [InlineData("""{"status":"success","output":"ok"}""", "success", "ok")]
    [InlineData("{\"status\":\"success\",\r\n\"output\":\"ok\"}\r\n", "success", "ok")]
    [InlineData("\uFEFF{\"status\":\"success\",\"output\":\"ok\"}", "success", "ok")]
    [InlineData("""{"status":"Success"}""", "success", null)]
    [InlineData("""{"status":" failed "}""", "failed", null)]
    [InlineData("""{"status":"completed"}""", "completed", null)]
    [InlineData("""{"status":"success","output":"x\ud83d"}""", "success", "x\uFFFD")]
    [InlineData("""{"status":"success","output":"a\u0000b"}""", "success", "a\uFFFDb")]
    [InlineData("""{"status":"success","output":{"a":1}}""", "success", """{"a":1}""")]
    [InlineData("""{"status":"success","tokens_used":123456789012345678901234567890,"x":{"a":1,"a":2}}""", "success", null)]
    public void A_form_that_can_be_meant_in_one_way_only_is_taken(string text, string status, string? output)
    {
        var report = ResultReport.Read(Encoding.UTF8.GetBytes(text), out var problem);

        Assert.Null(problem);
        Assert.Equal((status, output), (report!.Status, report.Output));
        Assert.Equal(output?.Contains('\uFFFD', StringComparison.Ordinal) == true, report.Repaired);
    }

    [Fact]
    public void Foreign_encodings_are_read_as_far_as_they_are_text()
    {
        var wide = ResultReport.Read([0xFF, 0xFE, .. Encoding.Unicode.GetBytes("""{"status":"success","output":"é 😀"}""")], out _)!;
        var latin = ResultReport.Read(Encoding.Latin1.GetBytes("""{"status":"success","output":"café"}"""), out _)!;

        Assert.Equal(("success", "é 😀", false), (wide.Status, wide.Output, wide.Repaired));
        Assert.Equal(("success", "caf\uFFFD", true), (latin.Status, latin.Output, latin.Repaired));
    }

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("""{"status":"success",}""", "is not JSON: The JSON object contains a trailing comma at the end which is not supported in this mode. (line 1, byte 21)")]
    [InlineData("""{"status":"success","score":NaN}""", "is not JSON: 'N' is an invalid start of a value. (line 1, byte 29)")]
    [InlineData("{\"status\":\"success\"}\n{\"status\":\"failed\"}\n", "is not JSON: '{' is invalid after a single JSON value. Expected end of data. (line 2, byte 1)")]
    [InlineData("```json\n{\"status\":\"success\"}\n```", "is not JSON: '`' is an invalid start of a value. (line 1, byte 1)")]
    [InlineData("""[{"status":"success"}]""", "is not a JSON object but array")]
    [InlineData("""{"output":"ok"}""", "has no status")]
    [InlineData("""{"status":null}""", "has no status")]
    [InlineData("""{"status":0}""", "has a status that is no text")]
    [InlineData("""{"status":"failed","status":"success"}""", "says 'status' twice")]
    [InlineData("""{"status":"succ""", "is not JSON: ")]
    public void A_form_that_can_be_meant_in_several_ways_is_refused_by_its_name(string text, string problem)
    {
        Assert.Null(ResultReport.Read(Encoding.UTF8.GetBytes(text), out var said));
        Assert.StartsWith(problem, said, StringComparison.Ordinal);
    }

    [Fact]
    public void Depth_without_end_is_refused_by_its_name()
    {
        Assert.Null(ResultReport.Read(Encoding.UTF8.GetBytes($$"""{"status":"success","x":{{new string('[', 70)}}{{new string(']', 70)}}}"""), out var said));
        Assert.Contains("depth of 64", said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_status_that_is_none_of_the_known_ones_names_them() =>
        Assert.EndsWith("the agent reported the status 'completed', which is none of success, failed and handoff",
            EndJudge.Judge(Some.Profile(), new ProcessEnd(0, 1), new AgentReport("completed", null, null), null)!.Reason, StringComparison.Ordinal);
}
