using System.CommandLine;
using FleetSidecar.Ground.CommandLine;

namespace FleetSidecar.Tests;

/// <summary>The model that completion and manual pages are written from, and the pages' language.</summary>
public sealed class SelfDescriptionTests
{
    private static readonly ManualNotes Notes = new([(0, "Done.")], [("/etc/x", "A file.")], ["man(1)"]);

    [Fact]
    public void The_model_knows_words_files_defaults_and_what_is_inherited_and_leaves_out_what_is_hidden()
    {
        var list = CommandModel.Of(Tree()).All.Single(command => command.Path is ["task", "list"]);

        Assert.Equal("List tasks, newest first. Twice.", list.Summary);
        Assert.Equal("List tasks, newest first", list.Title);
        Assert.Equal(["demo task list --status lost", "  --file x"], list.Examples);
        Assert.Equal(["--status", "--file", "--loud", "--help"], list.Options.Select(option => option.Names[0]));
        Assert.Equal([ValueKind.Text, ValueKind.File, ValueKind.None, ValueKind.None], list.Options.Select(option => option.Kind));
        Assert.Equal(["lost", "found"], list.Options[0].Words.OrderDescending());
        Assert.Equal("lost", list.Options[0].Default);
        Assert.True(list.Options[1].Repeatable);
        Assert.DoesNotContain(CommandModel.Of(Tree()).All, command => command.Path.Contains("secret"));
    }

    [Fact]
    public void A_page_escapes_what_would_be_an_order_or_a_hyphen()
    {
        var page = new Troff().Paragraph(".so /etc/passwd \\n `--a-b` …").Item("'x", "it's").Literal([".TH", "", "a\\b"]).ToString();

        Assert.Equal("""
            .PP
            \&.so /etc/passwd \en \fB\-\-a\-b\fR \[u2026]
            .TP
            \fB\(aqx\fR
            it\(aqs
            .PP
            .RS 4
            .nf
            \&.TH
            \&
            a\eb
            .fi
            .RE

            """, page);
    }

    [Fact]
    public void A_table_of_the_documentation_becomes_terms_and_links_become_their_words()
    {
        var page = MarkdownManual.Write("x.json", "settings", "x 1", "2026-01-01", """
            # Settings

            Read **once**, see [the book](book.md).
            Two lines.

            ## More keys

            | key | default | takes effect | meaning |
            |---|---|---|---|
            | `a.b` | 1 | now | how many. See [here](x.md) |
            | `c` | required | | which one |

            - first
              goes on
            - second

            ```json
            { "a": 1 }
            ```
            """);

        Assert.Equal("""
            .TH "X.JSON" 5 "2026\-01\-01" "x 1" "FleetSidecar"
            .SH "NAME"
            .PP
            x.json \- settings
            .SH "DESCRIPTION"
            .PP
            Read once, see the book. Two lines.
            .SH "MORE KEYS"
            .TP
            \fBa.b\fR
            how many. See here. Default: 1. Takes effect: now.
            .TP
            \fBc\fR
            which one. Required.
            .IP \(bu 2
            first goes on
            .IP \(bu 2
            second
            .PP
            .RS 4
            .nf
            { "a": 1 }
            .fi
            .RE

            """, page);
    }

    [Fact]
    public void A_manual_page_explains_every_option_and_shows_no_hidden_command()
    {
        var page = ManualPage.Write("demo", "1.2.3", "2026-01-01", CommandModel.Of(Tree()), Notes);

        Assert.Contains("demo \\- shows things", page, StringComparison.Ordinal);
        Assert.Contains(".SS \"demo task list [\\-\\-status STATUS] [\\-\\-file FILE]... [\\-\\-loud]\"", page, StringComparison.Ordinal);
        Assert.Contains("Which ones. One of \\fBfound\\fR, \\fBlost\\fR. Default \\fBlost\\fR.", page, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", page, StringComparison.Ordinal);
    }

    private static RootCommand Tree()
    {
        var status = new Option<string>("--status") { Description = "Which ones", HelpName = "STATUS", DefaultValueFactory = _ => "lost" };
        status.AcceptOnlyFromAmong("lost", "found");
        var list = new Command("list", "List tasks, newest first.\nTwice.\n\nExample:\n  demo task list --status lost\n    --file x")
        {
            status, new Option<string[]>("--file") { Description = "From these", HelpName = "FILE" }, new Option<bool>("--loud", "-l") { Description = "Louder" },
            new Option<bool>("--crash") { Hidden = true },
        };
        return new RootCommand("Shows things. And more.") { new Command("task", "Tasks.") { list }, new Command("secret", "Not shown.") { Hidden = true } };
    }
}
