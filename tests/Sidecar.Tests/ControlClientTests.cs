using System.Net.Sockets;
using System.Text;
using FleetSidecar.Control;

namespace FleetSidecar.Tests;

/// <summary>What the command line makes of an answer that is none of a sidecar's.</summary>
public sealed class ControlClientTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000), Trait("kind", "an odd answer breaks the command line")]
    [InlineData("status", """{"ok":true}""", "says no 'status'"), InlineData("runs", """{"ok":true}""", "says no 'runs'"), InlineData("run", """{"ok":true,"runs":[]}""", "says no 'runs'")]
    [InlineData("doctor", """{"ok":true,"status":null}""", "says no 'doctor'"), InlineData("reload", """{"ok":true}""", "says no 'reload'"), InlineData("supervise", """{"ok":true}""", "says no 'members'")]
    [InlineData("pause", """{"ok":false}""", "says no 'error'"), InlineData("pause", "{}", ""), InlineData("pause", "", ""), InlineData("pause", "220 mail ready", "")]
    public async Task An_answer_that_says_nothing_of_what_was_asked_is_no_sidecars(string verb, string answer, string why)
    {
        using var listener = Listen();
        var asking = ControlClient.AskAsync(_directory["sock"], new ControlRequest { Verb = verb }, TestContext.Current.CancellationToken);
        await AnswerAsync(listener, answer);

        var fault = await Assert.ThrowsAsync<DaemonUnavailableException>(() => asking);

        Assert.StartsWith($"no fleet-sidecar answers on {_directory["sock"]}: ", fault.Message, StringComparison.Ordinal);
        Assert.Contains(why, fault.Message, StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000), InlineData("pause", """{"ok":true}"""), InlineData("status", """{"ok":false,"error":"not now"}""")]
    public async Task A_short_answer_that_is_one_is_handed_on(string verb, string answer)
    {
        using var listener = Listen();
        var asking = ControlClient.AskAsync(_directory["sock"], new ControlRequest { Verb = verb }, TestContext.Current.CancellationToken);
        await AnswerAsync(listener, answer);

        Assert.Equal(verb == "pause", (await asking).Ok);
    }

    private Socket Listen()
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(_directory["sock"]));
        listener.Listen();
        return listener;
    }

    private static async Task AnswerAsync(Socket listener, string answer)
    {
        using var caller = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        for (var question = new byte[4096]; await caller.ReceiveAsync(question, TestContext.Current.CancellationToken) is > 0 and var length && !question.AsSpan(0, length).Contains((byte)'\n');)
        {
            // The rest of it comes.
        }

        await caller.SendAsync(Encoding.UTF8.GetBytes(answer), TestContext.Current.CancellationToken);
    }
}
