using System.Net;
using System.Net.WebSockets;

namespace FleetSidecar.EndToEnd;

/// <summary>What callers without a token can take from the hub: little, and nothing of the sidecars.</summary>
public sealed class UnidentifiedTests : IDisposable
{
    private const int MostOfAnAddress = 256;

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000), Trait("kind", "memory for callers that have shown no token")]
    [InlineData(7_000, true)]
    [InlineData(9_000, false)]
    public async Task L64_a_first_frame_above_8_KiB_is_refused_and_ends_the_connection(int padding, bool taken)
    {
        using var hub = await TestHub.StartAsync(_directory);
        var token = await hub.TokenAsync("iris");
        using var agent = await RawAgent.ConnectAsync(hub.SocketUrl);

        await agent.SendAsync($$"""{"type":"identify","agent_id":"iris","token":"{{token}}","protocol_version":2,"padding":"{{new string('x', padding)}}"}""");

        var answer = (await agent.NextAsync())!.Value;
        Assert.Equal(taken ? "identified" : "error", answer.GetProperty("type").GetString());
        if (!taken)
        {
            Assert.Equal("frame_too_large", answer.GetProperty("error").GetString());
            Assert.Null(await agent.NextAsync());
            Assert.Equal(WebSocketCloseStatus.PolicyViolation, agent.CloseStatus);
        }
    }

    [Fact(Timeout = 60_000), Trait("kind", "memory for callers that have shown no token")]
    public async Task L64_a_first_frame_without_end_is_refused_when_its_limit_is_passed()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var socket = new ClientWebSocket();
        socket.Options.Proxy = null;
        await socket.ConnectAsync(new Uri(hub.SocketUrl), CancellationToken.None);

        await socket.SendAsync(new byte[9_000], WebSocketMessageType.Text, endOfMessage: false, CancellationToken.None);

        var answer = new byte[4096];
        var (length, _) = await ReadAsync(socket, answer);
        Assert.Contains("frame_too_large", System.Text.Encoding.UTF8.GetString(answer, 0, length), StringComparison.Ordinal);
        Assert.Equal(WebSocketMessageType.Close, (await ReadAsync(socket, answer)).Type);
    }

    [Fact(Timeout = 120_000), Trait("kind", "memory for callers that have shown no token")]
    public async Task L64_callers_that_never_identify_keep_to_their_places_and_those_that_did_keep_theirs()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var before = await RawAgent.IdentifyAsync(hub.SocketUrl, "iris", await hub.TokenAsync("iris"));
        var idle = await Task.WhenAll(Enumerable.Range(0, MostOfAnAddress).Select(_ => RawAgent.ConnectAsync(hub.SocketUrl)));
        try
        {
            using var oneMore = new ClientWebSocket();
            oneMore.Options.Proxy = null;
            oneMore.Options.CollectHttpResponseDetails = true;
            await Assert.ThrowsAsync<WebSocketException>(() => oneMore.ConnectAsync(new Uri(hub.SocketUrl), CancellationToken.None));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, oneMore.HttpStatusCode);
            Assert.Equal("2", oneMore.HttpResponseHeaders!["Retry-After"].Single());

            // Who is identified goes on, and a sidecar that finds no place comes again until the time to identify has ended for one.
            await before.SendAsync("""{"type":"ping"}""");
            Assert.Equal("pong", (await before.ReadAsync("pong")).GetProperty("type").GetString());
            using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("noah"), Scripts.Worker(_directory), name: "noah").StartAsync();
            Assert.Contains(sidecar.Program.Lines, line => line.Contains("the hub answered 503", StringComparison.Ordinal));
        }
        finally
        {
            foreach (var agent in idle)
            {
                agent.Dispose();
            }
        }
    }

    [Fact(Timeout = 120_000), Trait("kind", "an agent behind its machine's address keeps the machine off the hub")]
    public async Task A_sidecar_is_let_in_while_callers_of_its_address_take_every_place_again_as_soon_as_it_is_free()
    {
        using var hub = await TestHub.StartAsync(_directory);
        using var over = new CancellationTokenSource();
        var full = new TaskCompletionSource();
        var open = 0;

        // One after the other, so that the hub's time limit ends them one after the other as well, and a free place is taken at once.
        var flood = Enumerable.Range(0, MostOfAnAddress + 50).Select(number => Task.Run(() => HoldAsync(number * 30))).ToList();
        await full.Task.WaitAsync(TimeSpan.FromSeconds(60));

        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, await hub.TokenAsync("noah"), Scripts.Worker(_directory), name: "noah").StartAsync();
        Assert.Single(sidecar.Program.Lines, line => line.Contains("the hub answered 503", StringComparison.Ordinal)); // The second time it showed its token.
        await over.CancelAsync();
        await Task.WhenAll(flood);

        async Task HoldAsync(int pause)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(pause), TimeProvider.System, CancellationToken.None);
            while (!over.IsCancellationRequested)
            {
                using var socket = new ClientWebSocket();
                socket.Options.Proxy = null;
                try
                {
                    await socket.ConnectAsync(new Uri(hub.SocketUrl), over.Token);
                    if (Interlocked.Increment(ref open) >= MostOfAnAddress)
                    {
                        full.TrySetResult();
                    }

                    try
                    {
                        await socket.ReceiveAsync(new byte[16], over.Token);
                    }
                    finally
                    {
                        Interlocked.Decrement(ref open);
                    }
                }
                catch (Exception refused) when (refused is WebSocketException or OperationCanceledException)
                {
                }
            }
        }
    }

    private static async Task<(int Length, WebSocketMessageType Type)> ReadAsync(ClientWebSocket socket, byte[] into)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var part = await socket.ReceiveAsync(into, limit.Token);
        return (part.Count, part.MessageType);
    }
}
