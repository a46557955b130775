using FleetSidecar.Agents;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>The one classifier: what the kernel and the exit say first, words last.</summary>
public sealed class FailureClassifierTests
{
    [Theory]
    [InlineData("FileNotFoundError: [Errno 2] No such file or directory: '/x/y'", FailureClass.Unknown)]
    [InlineData("ModuleNotFoundError: No module named 'x'", FailureClass.Unknown)]
    [InlineData("getaddrinfo ENOTFOUND api.example.com", FailureClass.ProviderDown)]
    [InlineData("401 token expired", FailureClass.Auth)]
    [InlineData("API Error: 401 fake failure 401", FailureClass.Auth)]
    [InlineData("unexpected status 401 Unauthorized: x, url: http://127.0.0.1/v1/responses", FailureClass.Auth)]
    [InlineData("Missing environment variable: `OPENAI_API_KEY`.", FailureClass.Auth)]
    [InlineData("Not logged in · Please run /login", FailureClass.Auth)]
    [InlineData("Inline API key for provider \"fake\" is temporarily disabled after a provider auth/billing failure. Retry after about 1 minute", FailureClass.Auth)]
    [InlineData("API Error: Request rejected (429) · slow down", FailureClass.RateLimited)]
    [InlineData("You've hit your usage limit. Try again at 14:00.", FailureClass.RateLimited)]
    [InlineData("{\"error_status\":429,\"error\":\"rate_limit\"}", FailureClass.RateLimited)]
    [InlineData("fake/fake-1 request failed (provider internal error, HTTP 500)", FailureClass.ProviderDown)]
    [InlineData("connect ECONNREFUSED 127.0.0.1:18999", FailureClass.ProviderDown)]
    [InlineData("We’re currently experiencing high demand, which may cause temporary errors.", FailureClass.ProviderDown)]
    [InlineData("API Error: 529 Overloaded", FailureClass.ProviderDown)]
    [InlineData("prompt is too long: 213000 tokens > 200000 maximum", FailureClass.ContextExhausted)]
    [InlineData("This model's maximum context length is 128000 tokens.", FailureClass.ContextExhausted)]
    [InlineData("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", FailureClass.OutOfMemory)]
    [InlineData("OpenClaw cron has no command \"wake\".", FailureClass.Config)]
    [InlineData("error: unexpected argument '--nope' found", FailureClass.Config)]
    [InlineData("Rate limited once, trying again\nHTTP 401 from the provider\ngiving up", FailureClass.Auth)]
    [InlineData("wrote 401 lines, 429 tests, 500 files", FailureClass.Unknown)]
    [InlineData("the tests fail", FailureClass.Unknown)]
    [InlineData("", FailureClass.Unknown)]
    public void A_text_means_what_its_last_telling_line_means(string text, string expected) => Assert.Equal(expected, FailureClassifier.OfText(text));

    [Theory]
    [InlineData(137, true, FailureClass.OutOfMemory)]
    [InlineData(137, false, FailureClass.AgentError)]
    [InlineData(143, false, FailureClass.AgentError)]
    [InlineData(null, false, FailureClass.AgentVanished)]
    [InlineData(127, false, FailureClass.Config)]
    [InlineData(78, false, FailureClass.Config)]
    [InlineData(145, false, FailureClass.Auth)]
    [InlineData(1, false, FailureClass.Auth)]
    public void L30_Kernel_and_exit_come_before_words(int? exitCode, bool outOfMemory, string expected) =>
        Assert.Equal(expected, FailureClassifier.Classify(new ProcessEnd(exitCode, 1), outOfMemory, "401 token expired"));

    [Fact]
    public void A_program_that_gave_itself_up_says_why() =>
        Assert.Equal(FailureClass.OutOfMemory, FailureClassifier.Classify(new ProcessEnd(134, 1), outOfMemory: false, null, "JavaScript heap out of memory"));

    [Theory]
    [InlineData("boom", FailureClass.AgentError)]
    [InlineData("API Error: 429 slow down", FailureClass.RateLimited)]
    [InlineData(null, FailureClass.AgentError)]
    public void A_command_that_failed_is_told_apart_by_its_last_words(string? words, string expected)
    {
        var end = new ProcessEnd(1, 1) { LastOutput = words };

        Assert.Equal(expected, EndJudge.Judge(Some.Profile(), end, report: null, turn: null)?.Code);
    }

    [Fact]
    public void A_line_without_end_is_read_in_no_time() =>
        Assert.Equal(FailureClass.Unknown, FailureClassifier.OfText(new string('4', 1_000_000) + "\n" + new string(' ', 1_000_000)));
}
