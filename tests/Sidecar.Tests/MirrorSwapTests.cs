using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>A fresh mirror takes a damaged one's place, and whatever was readable before still is.</summary>
public sealed class MirrorSwapTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_fresh_mirror_stands_at_the_path_and_borrows_from_the_old_one()
    {
        var (mirror, fresh) = (Make("m.git", "old"), Make("m.git.making-1", "fresh"));

        MirrorSwap.Put(fresh, mirror);

        var old = Assert.Single(MirrorSwap.ReplacedOf(mirror));
        Assert.Equal(("fresh", "old"), (File.ReadAllText($"{mirror}/objects/name"), File.ReadAllText($"{old}/objects/name")));
        Assert.Equal([$"{old}/objects"], Lenders(mirror));
        Assert.Equal(mirror, MirrorSwap.MirrorOf(old));
        Assert.False(Directory.Exists(fresh));
    }

    [Fact]
    public void Each_further_one_names_all_before_it_and_they_name_none()
    {
        var mirror = Make("m.git", "0");
        foreach (var name in new[] { "1", "2", "3" })
        {
            MirrorSwap.Put(Make($"m.git.making-{name}", name), mirror);
        }

        var replaced = MirrorSwap.ReplacedOf(mirror);
        Assert.Equal(3, replaced.Length);
        Assert.Equal(replaced.Select(old => $"{old}/objects").Order(), Lenders(mirror).Order());
        Assert.All(replaced, old => Assert.Empty(Lenders(old)));
    }

    [Fact]
    public void A_mirror_that_was_removed_by_hand_or_is_a_file_gives_way()
    {
        var mirror = Make("m.git", "0");
        MirrorSwap.Put(Make("m.git.making-1", "1"), mirror);
        Directory.Delete(mirror, recursive: true);
        File.WriteAllText(mirror, "");

        MirrorSwap.Put(Make("m.git.making-2", "2"), mirror);

        Assert.Equal("2", File.ReadAllText($"{mirror}/objects/name"));
        Assert.Equal([$"{Assert.Single(MirrorSwap.ReplacedOf(mirror))}/objects"], Lenders(mirror));
    }

    [Fact]
    public void What_is_gone_or_about_to_go_is_forgotten()
    {
        var mirror = Make("m.git", "0");
        MirrorSwap.Put(Make("m.git.making-1", "1"), mirror);
        MirrorSwap.Put(Make("m.git.making-2", "2"), mirror);
        var replaced = MirrorSwap.ReplacedOf(mirror);
        Directory.Delete(replaced[0], recursive: true);

        MirrorSwap.Forget(mirror);
        Assert.Equal([$"{replaced[1]}/objects"], Lenders(mirror));

        MirrorSwap.Forget(mirror, replaced[1]);
        Assert.Empty(Lenders(mirror));
    }

    private string Make(string name, string content)
    {
        _directory.Write($"{name}/objects/name", content);
        return _directory[name];
    }

    private static string[] Lenders(string mirror) =>
        File.Exists($"{mirror}/objects/info/alternates") ? File.ReadAllLines($"{mirror}/objects/info/alternates") : [];
}
