using System.Text;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>Branches and refs: any text gives a valid name, and different texts give different ones.</summary>
public sealed class RefNamesTests
{
    [Theory]
    [InlineData("task-0123456789abcdef", "iris/task-0123456789abcdef")]
    [InlineData("a.b_c-d", "iris/a.b_c-d")]
    [InlineData("a.lock", "iris/a%2Elock")]
    [InlineData("a.", "iris/a%2E")]
    [InlineData(".a", "iris/%2Ea")]
    [InlineData("a..b", "iris/a.%2Eb")]
    [InlineData("-x", "iris/%2Dx")]
    [InlineData("a/b", "iris/a%2Fb")]
    [InlineData("a@{b", "iris/a%40%7Bb")]
    [InlineData("ü", "iris/%C3%BC")]
    [InlineData("", "iris/%")]
    public void A_branch_is_the_agent_and_the_task(string task, string branch) => Assert.Equal(branch, RefNames.Branch("iris", task));

    [Fact]
    public async Task Any_text_gives_a_name_that_git_takes_and_no_two_the_same()
    {
        var random = new Random(7);
        var names = new Dictionary<string, string>();
        var texts = Enumerable.Range(0, 400).Select(_ => Any(random)).Concat(["rescue", "%72escue", "a.lock", "a%2Elock", new('x', 500), new string('x', 499) + "y"]).Distinct();
        foreach (var text in texts)
        {
            foreach (var name in new[] { "refs/heads/" + RefNames.Branch(text, text), RefNames.Attempt(text, 7), RefNames.Rescue(text, 7) })
            {
                Assert.True(names.TryAdd(name, text), name);
                Assert.All(name.Split('/'), part => Assert.InRange(Encoding.UTF8.GetByteCount(part), 1, 240));
            }
        }

        var tools = new ToolRunner(TimeProvider.System);
        foreach (var name in names.Keys.Where((_, index) => index % 6 == 0))
        {
            var judged = await tools.RunAsync(["/usr/bin/git", "check-ref-format", name], new Dictionary<string, string>(), "/", TimeSpan.FromSeconds(10), CancellationToken.None);
            Assert.True(judged.Ok, name);
        }
    }

    [Fact]
    public void A_generation_is_read_off_its_ref_and_off_no_other()
    {
        Assert.Equal(7, RefNames.GenerationOf("task-a", RefNames.Attempt("task-a", 7)));
        Assert.Null(RefNames.GenerationOf("task-a", RefNames.Attempt("task-b", 7)));
        Assert.Null(RefNames.GenerationOf("task-a", RefNames.Rescue("task-a", 7)));
        Assert.Null(RefNames.GenerationOf("task-a", "refs/fleet/task-a/-7"));
        Assert.Null(RefNames.GenerationOf("rescue", RefNames.Rescue("7", 7)));
    }

    [Fact]
    public void What_an_origin_says_is_read_whatever_stands_in_it()
    {
        var refs = RemoteRefs.Parse("ref: refs/heads/trunk\tHEAD\naaaa\tHEAD\naaaa\trefs/heads/trunk\nodd line\nbbbb\trefs/fleet/t/3\ncccc\trefs/fleet/t/12\n");

        Assert.Equal(("refs/heads/trunk", "aaaa", "", 12L), (refs.DefaultBranch, refs["HEAD"], refs["refs/heads/main"], refs.HighestGeneration("t")));
        Assert.Equal(0, RemoteRefs.Parse("").HighestGeneration("t"));
    }

    private static string Any(Random random)
    {
        var text = new StringBuilder();
        for (var left = random.Next(1, 30); left > 0; left--)
        {
            text.Append(random.Next(4) switch { 0 => (char)random.Next(1, 128), 1 => (char)random.Next('a', 'z'), 2 => (char)random.Next(0x80, 0xD7FF), _ => "./-@{lock~^:?*[\\ "[random.Next(17)] });
        }

        return text.ToString();
    }
}
