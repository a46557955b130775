using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>Steps that end the daemon are begun a few times and no more.</summary>
public sealed class VerificationStartsTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Steps_that_never_came_to_an_end_are_begun_five_times_whatever_was_restarted_in_between()
    {
        Directory.CreateDirectory(_directory["run_1"]);

        var begun = Enumerable.Range(0, 7).Select(_ => new VerificationStarts(_directory.Path, "run_1").TryBegin()).ToList();

        Assert.Equal([true, true, true, true, true, false, false], begun);
    }

    [Fact]
    public void What_stands_in_the_place_of_the_count_keeps_no_step_from_its_beginning()
    {
        Directory.CreateDirectory(_directory["run_1"]);
        File.WriteAllText(_directory["run_1/verify-starts"], "many");

        Assert.True(new VerificationStarts(_directory.Path, "run_1").TryBegin());
    }
}
