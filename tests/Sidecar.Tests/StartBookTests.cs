using FleetSidecar.SelfTest;

namespace FleetSidecar.Tests;

/// <summary>The count of starts is written wherever a file can be.</summary>
public sealed class StartBookTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000), InlineData("mkdir"), InlineData("mkfifo"), Trait("kind", "what is no file where a file of ours belongs")]
    public async Task What_stands_in_its_place_does_not_keep_safe_mode_from_counting(string make)
    {
        var config = Some.Config();
        config.StateDirectory = _directory.Path;
        await TestProgram.MustAsync($"/bin/{make}", _directory["starts.json"]);

        var first = new StartBook(config, TimeProvider.System);
        var second = new StartBook(config, TimeProvider.System);

        Assert.Equal((null, null, 0, 1), (first.Problem, second.Problem, first.Against, second.Against));
    }
}
