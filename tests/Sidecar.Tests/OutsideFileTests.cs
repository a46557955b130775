using FleetSidecar.Ground.Files;

namespace FleetSidecar.Tests;

/// <summary>Files in directories that others own: read without a wait, without a detour, and written without opening what is there.</summary>
public sealed class OutsideFileTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("plain", true)]
    [InlineData("a link", false)]
    [InlineData("a link to its directory", false)]
    [InlineData("a pipe", false)]
    [InlineData("a directory", false)]
    [InlineData("a link to the directory above", true)] // Whoever runs the daemon may put its state elsewhere.
    public async Task What_is_inside_is_read_only_where_no_link_leads_there(string what, bool readable)
    {
        _directory.Write("real/run/wake-1/stdout", "said");
        _directory.Write("other/stdout", "another's");
        var (record, file) = (_directory["real/run/wake-1"], _directory["real/run/wake-1/stdout"]);
        switch (what)
        {
            case "a link": File.Delete(file); File.CreateSymbolicLink(file, _directory["other/stdout"]); break;
            case "a link to its directory": Directory.Delete(record, recursive: true); File.CreateSymbolicLink(record, _directory["other"]); break;
            case "a pipe": File.Delete(file); await TestProgram.MustAsync("mkfifo", file); break;
            case "a directory": File.Delete(file); Directory.CreateDirectory(file); break;
            case "a link to the directory above": File.CreateSymbolicLink(_directory["run"], _directory["real/run"]); file = _directory["run/wake-1/stdout"]; break;
        }

        using var stream = OutsideFile.Stream(file);

        Assert.Equal(readable, OutsideFile.ReadInside(file, 100) is { Length: > 0 });
        Assert.Equal(readable, stream is not null);
        Assert.Null(OutsideFile.ReadInside(_directory["nowhere/at/all"], 100));
    }

    [Fact]
    public async Task A_new_file_takes_the_place_of_a_pipe_or_a_link_and_opens_neither()
    {
        _directory.Write("target", "theirs");
        await TestProgram.MustAsync("mkfifo", _directory["pipe"]);
        File.CreateSymbolicLink(_directory["link"], _directory["target"]);

        NewFile.Write(_directory["pipe"], "ours"u8);
        NewFile.Write(_directory["link"], "ours"u8);

        Assert.Equal("ours", File.ReadAllText(_directory["pipe"]));
        Assert.Equal("ours", File.ReadAllText(_directory["link"]));
        Assert.Equal("theirs", File.ReadAllText(_directory["target"]));
    }

    [Theory]
    [InlineData("@99999999999999")]
    [InlineData("@253402300799")]
    [InlineData("@-99999999999")]
    [InlineData("@1790000000")]
    public async Task Whatever_date_somebody_gave_a_file_it_has_one(string date)
    {
        await TestProgram.MustAsync("touch", "-d", date, _directory["file"]);

        var written = PathFacts.Of(_directory["file"])!.Value.Written;

        Assert.InRange(written.Year, 1970, 9999);
        Assert.Equal(date == "@1790000000", written == DateTimeOffset.FromUnixTimeSeconds(1_790_000_000));
    }
}
