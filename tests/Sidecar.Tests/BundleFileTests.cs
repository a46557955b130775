using FleetSidecar.Ground.Logs;

namespace FleetSidecar.Tests;

/// <summary>The log file is bounded, its newest lines are in the file of the plain name, and no name that others left beside it keeps a line from being written.</summary>
public sealed class BundleFileTests : IDisposable
{
    private const int Mebibyte = 1024 * 1024, Length = 4096, Lines = 40 * Mebibyte / Length;
    private readonly TempDir _directory = new();
    private readonly SetTime _time = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("sidecar_2147483647.log sidecar_2147483646.log")]
    [InlineData("sidecar_99999999999.log sidecar_000000000000001.log")]
    [InlineData("sidecar_999999.log sidecar_999998.log sidecar_999997.log sidecar_999996.log sidecar_999995.log")]
    [InlineData("sidecar_005.log sidecar_006.log sidecar_007.log sidecar_008.log sidecar_009.log")]
    public void Five_files_of_five_mebibytes_stay_whatever_was_left_beside_them(string left)
    {
        foreach (var name in left.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            _directory.Write($"logs/{name}", "left");
        }

        _directory.Write("logs/others_001.log", "of others");
        using (var log = BundleFile.Open(_directory["logs/sidecar.log"], new Redactor(), _time))
        {
            for (var line = 1; line <= Lines; line++)
            {
                log.Information("{Line} {Text}", line, new string('x', Length));
                _time.Advance(TimeSpan.FromSeconds(2));
            }
        }

        string[] odd = ["sidecar_2147483647.log", "sidecar_2147483646.log", "sidecar_99999999999.log", "sidecar_000000000000001.log"];
        Assert.All(left.Split(' ').Intersect(odd), name => Assert.Equal("left", File.ReadAllText(_directory[$"logs/{name}"])));
        var files = Directory.GetFiles(_directory["logs"], "sidecar*").Where(file => !odd.Contains(Path.GetFileName(file))).ToArray();
        Assert.Equal(5, files.Length);
        Assert.All(files, file => Assert.InRange(new FileInfo(file).Length, 1, (5 * Mebibyte) + (Mebibyte / 8)));
        Assert.Contains($"{Lines} xx", File.ReadAllText(_directory["logs/sidecar.log"]), StringComparison.Ordinal);
        Assert.All(files, file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(file)));
        Assert.Equal("of others", File.ReadAllText(_directory["logs/others_001.log"]));
    }

    [Fact]
    public void What_comes_before_the_next_look_makes_the_file_twice_as_long_and_no_longer()
    {
        Directory.CreateDirectory(_directory["logs"]);
        using var log = BundleFile.Open(_directory["logs/sidecar.log"], new Redactor(), _time);
        for (var line = 1; line <= Lines; line++)
        {
            log.Information("{Line} {Text}", line, new string('x', Length)); // The clock stands, so nobody looks.
        }

        Assert.InRange(new FileInfo(_directory["logs/sidecar.log"]).Length, 9 * Mebibyte, (10 * Mebibyte) + (Mebibyte / 8));
    }

    private sealed class SetTime : TimeProvider
    {
        private long _now;

        public void Advance(TimeSpan by) => _now += (long)(by.TotalSeconds * TimestampFrequency);

        public override long GetTimestamp() => _now;
    }
}
