using System.Globalization;
using System.Text;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Outputs;

namespace FleetSidecar.Tests;

/// <summary>The bound on what an agent prints: holes while it writes, a shorter file afterwards, head and tail as they were.</summary>
public sealed class AgentOutputTests : IDisposable
{
    private const long Wake = 8 * 1024 * 1024;
    private static readonly OutputLimit Limit = OutputLimit.OfOutput(Wake);
    private readonly TempDir _directory = new();
    private readonly string _record;

    public AgentOutputTests() => _record = Directory.CreateDirectory(_directory["run/wake-1"]).FullName;

    private string Output => Recorder.Output(_record);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task While_the_agent_writes_the_disk_holds_head_and_tail_and_afterwards_the_file_says_what_is_missing()
    {
        var all = Lines(40 * 1024 * 1024);
        await using (var agent = new FileStream(Output, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            for (var at = 0; at < all.Length; at += 1024 * 1024)
            {
                agent.Write(all, at, Math.Min(1024 * 1024, all.Length - at));
                agent.Flush();
                AgentOutput.Bound(_record, Wake);
                Assert.InRange(await AllocatedAsync(Output), 0, Limit.Head + Limit.Tail + (3 * 1024 * 1024));
            }
        }

        Assert.Equal(all.Length, new FileInfo(Output).Length); // Offsets stay what they are for a program that has the file open.
        AssertGap(all, await ReadAsync());
        var dropped = AgentOutput.Settle(_record, Wake);

        Assert.Equal(all.Length - Limit.Head - Limit.Tail, dropped);
        var kept = await File.ReadAllBytesAsync(Output);
        AssertGap(all, kept);
        Assert.InRange(kept.Length, Limit.Head + Limit.Tail, Limit.Head + Limit.Tail + OutputLimit.MarkerBytes);
        Assert.Contains(OutputLimit.Marker(dropped), Encoding.ASCII.GetString(kept), StringComparison.Ordinal);

        // A crash before that was stored: the same again, and the same answer.
        Assert.Equal(dropped, AgentOutput.Settle(_record, Wake));
        Assert.Equal(kept, await File.ReadAllBytesAsync(Output));
    }

    [Fact]
    public async Task Output_that_nobody_bounded_meanwhile_comes_to_the_same_end()
    {
        var all = Lines(20 * 1024 * 1024);
        await File.WriteAllBytesAsync(Output, all);

        Assert.Equal(all.Length - Limit.Head - Limit.Tail, AgentOutput.Settle(_record, Wake));
        AssertGap(all, await File.ReadAllBytesAsync(Output));
    }

    [Fact]
    public async Task Output_within_the_limit_is_left_alone()
    {
        var all = Lines((int)(Limit.Head + Limit.Tail));
        await File.WriteAllBytesAsync(Output, all);

        AgentOutput.Bound(_record, Wake);
        Assert.Equal(0, AgentOutput.Settle(_record, Wake));

        Assert.Equal(all, await File.ReadAllBytesAsync(Output));
        Assert.Equal(["stdout"], Directory.GetFiles(_record).Select(path => Path.GetFileName(path)!));
    }

    [Fact]
    public async Task A_full_disk_leaves_holes_in_the_place_of_a_shorter_file()
    {
        using var disk = await SmallDisk.TryMountAsync(_directory["small"], megabytes: 16);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var record = Directory.CreateDirectory(Path.Combine(_directory["small"], "run", "wake-1")).FullName;
        var all = Lines(12 * 1024 * 1024);
        await File.WriteAllBytesAsync(Recorder.Output(record), all);
        disk.Fill();

        var dropped = AgentOutput.Settle(record, Wake);

        Assert.Equal(all.Length - Limit.Head - Limit.Tail, dropped);
        Assert.Equal(all.Length, new FileInfo(Recorder.Output(record)).Length);
        Assert.InRange(await AllocatedAsync(Recorder.Output(record)), 0, Limit.Head + Limit.Tail + (1024 * 1024));
        Assert.DoesNotContain(Directory.GetFiles(record), path => path.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public void A_link_in_the_place_of_the_output_or_of_its_directory_is_not_followed()
    {
        var precious = _directory.Write("precious/stdout", new string('x', (int)Wake * 2));
        File.CreateSymbolicLink(Output, precious);
        var linked = _directory["run/wake-2"];
        File.CreateSymbolicLink(linked, Path.GetDirectoryName(precious)!);

        AgentOutput.Bound(_record, Wake);
        AgentOutput.Bound(linked, Wake);
        Assert.Equal(0, AgentOutput.Settle(_record, Wake) + AgentOutput.Settle(linked, Wake));

        Assert.Equal(Wake * 2, new FileInfo(precious).Length);
        Assert.DoesNotContain('\0', File.ReadAllText(precious));
    }

    [Fact]
    public void For_any_length_and_any_hole_head_and_tail_are_kept_in_order_and_within_the_limit()
    {
        const int Seed = 7;
        var random = new Random(Seed);
        for (var round = 0; round < 100_000; round++)
        {
            var limit = OutputLimit.OfOutput(random.NextInt64(1 << 20, 1L << 40));
            var length = random.NextInt64(0, 1L << 42);
            var hole = random.Next(2) == 0 ? length : random.NextInt64(0, length + 1);
            var data = hole == length ? length : random.NextInt64(hole, length + 1);
            var because = $"seed {Seed}, round {round}";

            if (limit.Cut(length, hole, data) is { } cut)
            {
                Assert.True(cut.HeadEnd >= 0 && cut.HeadEnd <= limit.Head && cut.TailStart > cut.HeadEnd && cut.TailStart <= length, because);
                Assert.True(cut.HeadEnd + (length - cut.TailStart) <= limit.Head + limit.Tail, because);
            }
            else
            {
                Assert.True(length <= limit.Head + limit.Tail + OutputLimit.MarkerBytes, because);
            }

            if (limit.Middle(length, random.NextInt64(0, length + 1)) is { } middle)
            {
                Assert.True(middle.From >= limit.Head && middle.From + middle.Length <= length - limit.Tail && middle.Length > 0, because);
            }
        }
    }

    private async Task<byte[]> ReadAsync()
    {
        using var reader = new OutputReader();
        using var target = new MemoryStream();
        await reader.CopyAsync(Output, target, CancellationToken.None);
        return target.ToArray();
    }

    // The beginning and the end are those of the whole, one line of ours stands between, and no zeros.
    private static void AssertGap(byte[] all, byte[] kept)
    {
        Assert.True(kept.Length < all.Length);
        Assert.True(kept.AsSpan().StartsWith(all.AsSpan(0, (int)Limit.Head)));
        Assert.True(kept.AsSpan().EndsWith(all.AsSpan(all.Length - (int)Limit.Tail)));
        Assert.True(kept.AsSpan().IndexOf((byte)0) < 0);
        Assert.True(kept.AsSpan().IndexOf("\n[fleet-sidecar: "u8) >= Limit.Head - 1);
    }

    private static byte[] Lines(int length)
    {
        var text = new StringBuilder(length + 100);
        for (var number = 0; text.Length < length; number++)
        {
            text.Append(CultureInfo.InvariantCulture, $"line {number} of what an agent prints when it prints a great deal\n");
        }

        return Encoding.ASCII.GetBytes(text.ToString(0, length));
    }

    private static async Task<long> AllocatedAsync(string path) =>
        long.Parse((await TestProgram.MustAsync("/usr/bin/stat", "-c", "%b", path)).Trim(), CultureInfo.InvariantCulture) * 512;
}
