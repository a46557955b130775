using FleetSidecar.Protocol;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>What a verification step means: words, programs, paths, and what all outcomes come to.</summary>
public sealed class StepTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("npm test", "npm|test")]
    [InlineData("  a\t b  ", "a|b")]
    [InlineData("a 'b c' d", "a|b c|d")]
    [InlineData("a \"b c\"d", "a|b cd")]
    [InlineData("a '' b", "a||b")]
    [InlineData(@"a b\ c", "a|b c")]
    [InlineData(@"a '\' b", @"a|\|b")]
    [InlineData(@"a ""\""\\\x""", @"a|""\\x")]
    [InlineData("echo $(id) `id` $HOME * ~ ; rm -rf / | cat > x & && #", "echo|$(id)|`id`|$HOME|*|~|;|rm|-rf|/|||cat|>|x|&|&&|#")]
    [InlineData("echo 漢字", "echo|漢字")]
    public void A_command_is_split_into_words_and_nothing_in_it_is_expanded(string text, string words) =>
        Assert.Equal((words, null), (string.Join('|', ArgvSplitter.Split(text).Words), ArgvSplitter.Split(text).Complaint));

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("'' x")]
    [InlineData("a 'b")]
    [InlineData("a \"b")]
    [InlineData("a \\")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    [InlineData("a\u001bb")]
    public void A_text_that_is_no_command_is_refused(string text) => Assert.NotNull(ArgvSplitter.Split(text).Complaint);

    [Fact]
    public void A_command_is_bounded_in_length_and_words()
    {
        Assert.NotNull(ArgvSplitter.Split(new string('a', ArgvSplitter.LongestText + 1)).Complaint);
        Assert.NotNull(ArgvSplitter.Split(string.Join(' ', Enumerable.Repeat("a", ArgvSplitter.MostWords + 1))).Complaint);
        Assert.Null(ArgvSplitter.Split(string.Join(' ', Enumerable.Repeat("a", ArgvSplitter.MostWords))).Complaint);
    }

    [Fact]
    public void Whatever_is_quoted_comes_back_as_it_was()
    {
        var random = new Random(4);
        const string Letters = "ab $'\"\\*;|&`~#\t漢";
        for (var round = 0; round < 5_000; round++)
        {
            var words = Enumerable.Range(0, random.Next(1, 6)).Select(index => (index == 0 ? "x" : "") + new string([.. Enumerable.Range(0, random.Next(0, 8)).Select(_ => Letters[random.Next(Letters.Length)])])).ToList();

            Assert.Equal(words, ArgvSplitter.Split(string.Join(' ', words.Select(word => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'"))).Words);
        }
    }

    [Theory]
    [InlineData("inside.txt", true)]
    [InlineData("./sub/../inside.txt", true)]
    [InlineData("link-inside", true)]
    [InlineData("missing.txt", false)]
    [InlineData("../outside.txt", false)]
    [InlineData("/etc/passwd", false)]
    [InlineData("link-outside", false)]
    [InlineData("directory-outside/outside.txt", false)]
    [InlineData("dangling", false)]
    [InlineData("", false)]
    [InlineData("a\0b", false)]
    public void A_file_counts_only_where_no_path_and_no_link_leads_out_of_the_workspace(string target, bool there)
    {
        var workspace = Path.GetDirectoryName(_directory.Write("work/inside.txt", "x"))!;
        _directory.Write("outside.txt", "x");
        Directory.CreateDirectory(Path.Combine(workspace, "sub"));
        File.CreateSymbolicLink(Path.Combine(workspace, "link-inside"), "inside.txt");
        File.CreateSymbolicLink(Path.Combine(workspace, "link-outside"), "../outside.txt");
        File.CreateSymbolicLink(Path.Combine(workspace, "dangling"), "nowhere");
        Directory.CreateSymbolicLink(Path.Combine(workspace, "directory-outside"), _directory.Path);

        Assert.Equal(there, StepRules.Inside(target, workspace).Complaint is null);
    }

    [Fact]
    public void A_program_is_absolute_inside_the_workspace_or_in_the_path_and_never_in_the_directory_of_the_sidecar()
    {
        var workspace = Path.GetDirectoryName(_directory.WriteScript("work/check", "exit 0"))!;
        _directory.WriteScript("outside", "exit 0");
        File.CreateSymbolicLink(Path.Combine(workspace, "out"), "../outside");

        Assert.Equal(("/bin/sh", null), StepRules.Program("/bin/sh", workspace, "/nowhere"));
        Assert.Equal((Path.Combine(workspace, "check"), null), StepRules.Program("./check", workspace, "/nowhere"));
        Assert.Equal((Path.Combine(workspace, "check"), null), StepRules.Program("check", workspace, $"relative::/nowhere:{workspace}"));
        Assert.NotNull(StepRules.Program("check", workspace, "/nowhere:.").Complaint);
        Assert.NotNull(StepRules.Program("./out", workspace, "/nowhere").Complaint);
        Assert.NotNull(StepRules.Program("../outside", workspace, "/nowhere").Complaint);
        Assert.NotNull(StepRules.Program("/nowhere/x", workspace, "/nowhere").Complaint);
    }

    [Theory]
    [InlineData("npm", "*", true)]
    [InlineData("npm", "npm", true)]
    [InlineData("npm-evil", "npm", false)]
    [InlineData("/usr/bin/npm", "/usr/bin/*", true)]
    [InlineData("npm", null, false)]
    public void The_operator_says_which_programs_a_task_may_run(string program, string? pattern, bool may) =>
        Assert.Equal(may, StepRules.MayRun(program, pattern is null ? [] : [pattern]));

    [Theory]
    [InlineData("pass", "pass", "pass")]
    [InlineData("skipped", "pass", "skipped")]
    [InlineData("fail", "skipped", "fail", "pass")]
    [InlineData("skipped")]
    public void A_report_passes_only_where_everything_that_was_asked_for_passed(string whole, params string[] each) =>
        Assert.Equal(whole, StepRules.Overall([.. each.Select(status => new VerificationCheck { Type = "x", Status = status })]));

    [Fact]
    public void Changes_are_read_whatever_the_names_are()
    {
        const string Text = ":100644 100644 aaa bbb M\0plain\0:000000 100755 000 ccc A\0--option\nwith line\0:100644 100644 ddd eee R087\0old\tname\0new name\0:100644 000000 fff 000 D\0:100644 A\0:cut off";

        var files = DiffFacts.Parse(Text);

        Assert.Equal(["M plain ", "A --option\nwith line ", "R new name old\tname", "D :100644 A "], files.Select(file => $"{file.Status} {file.Path} {file.OldPath}"));
        Assert.Equal("100755", files[1].NewMode);
    }
}
