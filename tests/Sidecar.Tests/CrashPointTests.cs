using System.Text.RegularExpressions;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Tests;

/// <summary>Each crash point has a word that arms it, a family, and a place in the code.</summary>
public sealed class CrashPointTests
{
    [Fact]
    public void Every_point_is_armed_by_its_word_and_belongs_to_one_family()
    {
        var all = Enum.GetValues<CrashPointName>();

        Assert.All(all, point => Assert.Equal(point, CrashPoints.Parse(point.Word())));
        Assert.Equal(all.Order(), Enum.GetValues<CrashFamily>().SelectMany(CrashPoints.Of).Order());
        Assert.Equal("contacts_merged", CrashPointName.ContactsMerged.Word());
        Assert.Null(CrashPoints.Parse("no_such_point"));
        Assert.Null(CrashPoints.Parse("100"));
        Assert.Null(CrashPoints.Parse(""));
    }

    [Fact]
    public void Every_point_is_passed_somewhere_in_the_code()
    {
        var code = string.Concat(Directory.GetFiles(Path.Combine(TestProgram.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) is not ("CrashPointName.cs" or "CrashPoints.cs")).Select(File.ReadAllText));

        Assert.All(Enum.GetValues<CrashPointName>(), point => Assert.Matches($@"\bCrashPointName\.{Regex.Escape(point.ToString())}\b", code));
    }
}
