using System.CommandLine;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>The verbs by which a program describes itself to shells and to <c>man</c>, from its own commands.</summary>
public static class SelfDescription
{
    /// <param name="root">The program's commands; these two are added.</param>
    /// <param name="program">As it is called.</param>
    /// <param name="version">As it is built.</param>
    /// <param name="notes">What its manual page says beside the commands.</param>
    public static void AddTo(RootCommand root, string program, string version, ManualNotes notes)
    {
        root.Add(Completion(root, program));
        root.Add(Manual(root, program, version, notes));
    }

    private static Command Completion(RootCommand root, string program)
    {
        var shell = new Argument<string>("SHELL") { Description = "The shell that is to know the commands" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        var command = new Command("completion", $"Print a script that makes a shell complete commands, options and their values; the packages bring it with them.\n\nExample:\n  source <({program} completion bash)") { shell };
        command.SetAction(arguments =>
        {
            var model = CommandModel.Of(root);
            Terminal.Write(arguments.GetValue(shell) switch
            {
                "zsh" => ZshCompletion.Write(program, model),
                "fish" => FishCompletion.Write(program, model),
                _ => BashCompletion.Write(program, model),
            });
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Manual(RootCommand root, string program, string version, ManualNotes notes)
    {
        var date = new Option<string>("--date") { Description = "Date of the page", DefaultValueFactory = _ => "", HelpName = "DATE" };
        var configuration = new Option<string>("--configuration") { Description = "Make the page of the configuration file instead, from the documentation of its keys", HelpName = "FILE" };
        var command = new Command("man", "Print the manual page; the packages bring it with them.") { Hidden = true, Options = { date, configuration } };
        command.SetAction(arguments =>
        {
            var day = arguments.GetValue(date)!;
            Terminal.Write(arguments.GetValue(configuration) is { } file
                ? MarkdownManual.Write($"{program}.json", $"configuration of {program}", $"{program} {version}", day, File.ReadAllText(file))
                : ManualPage.Write(program, version, day, CommandModel.Of(root), notes));
            return ExitCodes.Ok;
        });
        return command;
    }
}
