using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace FleetSidecar.Protocol.Tests;

/// <summary>Whatever arrives, reading ends with a message or a refusal: it never throws and never hangs.</summary>
public sealed class FrameFuzzTests
{
    private const int Rounds = 20_000;
    private static readonly byte[][] Golden = [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Golden"), "*.json", SearchOption.AllDirectories)
        .Order().Select(file => File.ReadAllBytes(file).AsSpan().TrimEnd((byte)'\n').ToArray())];

    [Fact]
    public void Random_bytes_are_refused_quietly() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(5_000),
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes => ReadsOneWayOrTheOther(bytes)));

    [Fact]
    public void Every_truncation_of_every_golden_frame_is_refused()
    {
        foreach (var golden in Golden)
        {
            for (var length = 0; length < golden.Length; length++)
            {
                Assert.True(ReadsOneWayOrTheOther(golden[..length]));
                Assert.False(Frame.TryRead(golden.AsSpan(0, length), out SidecarMessage? _, out _));
                Assert.False(Frame.TryRead(golden.AsSpan(0, length), out HubMessage? _, out _));
            }
        }
    }

    [Fact]
    public void Golden_frames_with_flipped_removed_and_repeated_bytes_never_throw()
    {
        var random = new Random(20261120);
        for (var round = 0; round < Rounds; round++)
        {
            var frame = Golden[random.Next(Golden.Length)].ToList();
            for (var change = random.Next(1, 4); change > 0 && frame.Count > 0; change--)
            {
                var at = random.Next(frame.Count);
                switch (random.Next(3))
                {
                    case 0: frame[at] = (byte)random.Next(256); break;
                    case 1: frame.RemoveAt(at); break;
                    default: frame.Insert(at, frame[random.Next(frame.Count)]); break;
                }
            }

            Assert.True(ReadsOneWayOrTheOther([.. frame]));
        }
    }

    [Fact]
    public void Golden_frames_with_values_of_the_wrong_type_never_throw()
    {
        string[] wrong = ["null", "true", "-1", "1e999", "\"\"", "\"\\u0000\"", "[]", "{}", "[[[]]]", "{\"type\":\"ping\"}", "99999999999999999999"];
        foreach (var golden in Golden)
        {
            using var document = System.Text.Json.JsonDocument.Parse(golden);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                foreach (var value in wrong)
                {
                    var frame = Encoding.UTF8.GetString(golden).Replace($"\"{property.Name}\":{property.Value.GetRawText()}", $"\"{property.Name}\":{value}", StringComparison.Ordinal);
                    Assert.True(ReadsOneWayOrTheOther(Encoding.UTF8.GetBytes(frame)));
                }
            }
        }
    }

    private static bool ReadsOneWayOrTheOther(byte[] bytes)
    {
        var hub = Frame.TryRead(bytes, out HubMessage? fromHub, out var hubRefusal);
        var sidecar = Frame.TryRead(bytes, out SidecarMessage? fromSidecar, out var sidecarRefusal);
        return hub == (fromHub is not null) && hub == (hubRefusal is null) && sidecar == (fromSidecar is not null) && sidecar == (sidecarRefusal is null);
    }
}
