using System.Text.Json;
using System.Text;

namespace FleetSidecar.Protocol.Tests;

/// <summary>The golden files are the documentation of the wire: each kind has one, and it survives reading and writing byte for byte.</summary>
public sealed class GoldenFrameTests
{
    private static readonly string Golden = Path.Combine(AppContext.BaseDirectory, "Golden");

    public static TheoryData<string> SidecarKinds => [.. WireKinds.Sidecar];

    public static TheoryData<string> HubKinds => [.. WireKinds.Hub];

    [Theory]
    [MemberData(nameof(SidecarKinds))]
    public void Every_sidecar_kind_reads_and_writes_its_golden_file_byte_for_byte(string kind)
    {
        var golden = File.ReadAllBytes(Path.Combine(Golden, "sidecar", $"{kind}.json")).AsSpan().TrimEnd((byte)'\n').ToArray();

        Assert.True(Frame.TryRead(golden, out SidecarMessage? message, out var refusal), refusal?.ToString());

        Assert.Equal(Encoding.UTF8.GetString(golden), Encoding.UTF8.GetString(Frame.Write(message)));
    }

    [Theory]
    [MemberData(nameof(HubKinds))]
    public void Every_hub_kind_reads_and_writes_its_golden_file_byte_for_byte(string kind)
    {
        var golden = File.ReadAllBytes(Path.Combine(Golden, "hub", $"{kind}.json")).AsSpan().TrimEnd((byte)'\n').ToArray();

        Assert.True(Frame.TryRead(golden, out HubMessage? message, out var refusal), refusal?.ToString());

        Assert.Equal(Encoding.UTF8.GetString(golden), Encoding.UTF8.GetString(Frame.Write(message)));
    }

    [Fact]
    public void No_golden_file_is_left_of_a_kind_that_is_gone()
    {
        Assert.Equal(WireKinds.Sidecar.Order(), Names("sidecar"));
        Assert.Equal(WireKinds.Hub.Order(), Names("hub"));
    }

    [Theory]
    [InlineData(typeof(SidecarMessage))]
    [InlineData(typeof(HubMessage))]
    public void Every_record_of_a_family_has_its_word(Type family)
    {
        var words = family == typeof(HubMessage) ? WireKinds.Hub : WireKinds.Sidecar;

        Assert.Equal(family.GetNestedTypes().Where(kind => kind.BaseType == family).Select(kind => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.Name)).Order(), words.Order());
    }

    [Fact]
    public void A_type_that_stands_there_twice_is_refused()
    {
        Assert.False(Frame.TryRead("""{"type":"pong","type":"drain"}"""u8, out HubMessage? _, out var refusal));
        Assert.Equal(RefusalCode.Invalid, refusal.Code);
    }

    private static IEnumerable<string> Names(string family) =>
        Directory.GetFiles(Path.Combine(Golden, family)).Select(file => Path.GetFileNameWithoutExtension(file)!).Order();
}
