using FleetSidecar.Deadman;
using FleetSidecar.Ground;

namespace FleetSidecar.Tests;

/// <summary>What the dead man's switch remembers, and that it does not forget where its disk fails.</summary>
public sealed class DeadmanMemoryTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void It_remembers_elsewhere_while_its_own_place_cannot_be_written_and_the_later_word_counts()
    {
        var memory = new DeadmanMemory(_directory["disk"], _directory["run"]);
        memory.Write(new DeadmanState { CheckedAtUnixMs = 1, Restarts = 1 });
        File.Delete(_directory["disk/deadman.json"]);
        Directory.CreateDirectory(_directory["disk/deadman.json"]); // Also for root nothing can be put there.

        memory.Write(new DeadmanState { CheckedAtUnixMs = 2, Restarts = 2 });
        Assert.Equal(2, memory.Read()!.Restarts);

        Directory.Delete(_directory["disk/deadman.json"]);
        memory.Write(new DeadmanState { CheckedAtUnixMs = 3, Restarts = 3 });
        Assert.Equal(3, memory.Read()!.Restarts);
        Assert.True(File.Exists(_directory["disk/deadman.json"]));
    }

    [Fact]
    public void Without_any_place_it_says_so_and_does_nothing()
    {
        File.WriteAllText(_directory["disk"], "a file where a directory should be");

        var fault = Assert.Throws<SidecarException>(() => new DeadmanMemory(_directory["disk"], null).Write(new DeadmanState()));

        Assert.Contains("cannot remember", fault.Message, StringComparison.Ordinal);
        Assert.Contains(_directory["disk"], fault.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_passes_at_once_are_one()
    {
        using var first = new DeadmanMemory(_directory["disk"], _directory["run"]).Take();

        Assert.Throws<ConfigurationException>(() => new DeadmanMemory(_directory["disk"], _directory["run"]).Take());
    }
}
