using System.CommandLine;
using System.CommandLine.Help;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>Runs a command line and turns every fault into one line and an exit code.</summary>
public static partial class CommandRunner
{
    /// <param name="program">The program's name, for complaints.</param>
    /// <param name="root">The commands.</param>
    /// <param name="arguments">As given.</param>
    /// <param name="codeOf">Exit codes for faults of the program's own; null leaves it to the common rule.</param>
    public static async Task<int> RunAsync(string program, RootCommand root, string[] arguments, Func<Exception, int?> codeOf)
    {
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null }); // An argument that begins with @ is text, not a file of arguments.
        if (parsed.Errors.Count > 0)
        {
            var command = string.Join(' ', parsed.CommandResult.Command.Parents.OfType<Command>().Select(parent => parent.Name).Where(name => name != root.Name)
                .Append(parsed.CommandResult.Command.Name).Where(name => name != root.Name));
            Terminal.Complain(program, Plainly(parsed), $"see '{$"{program} {command}".Trim()} --help'");
            return ExitCodes.Usage;
        }

        // Left to itself the library asks the framework's console, which sends the terminal its set-up sequence.
        foreach (var help in root.Options.Select(option => option.Action).OfType<HelpAction>())
        {
            help.MaxWidth = Terminal.Width;
        }

        return await GuardAsync(program, () => parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = Terminal.Answers(), Error = TextWriter.Null }), codeOf);
    }

    /// <summary>Runs one command whose arguments are known already.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "The outermost frame: whatever nobody foresaw is one line and an exit code that a supervisor understands, not an abort.")]
    public static async Task<int> GuardAsync(string program, Func<Task<int>> command, Func<Exception, int?> codeOf)
    {
        try
        {
            return await command();
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Ok;
        }
        catch (SidecarException fault)
        {
            Terminal.Complain(program, fault.Message, fault.Hint);
            return codeOf(fault) ?? fault switch
            {
                UsageException => ExitCodes.Usage,
                ConfigurationException => ExitCodes.Config,
                _ => ExitCodes.Failed,
            };
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            Terminal.Complain(program, fault.Message, "check the path and who may use it");
            return codeOf(fault) ?? ExitCodes.Failed;
        }
        catch (Exception fault)
        {
            var place = fault.StackTrace?.Split('\n').FirstOrDefault()?.Trim();
            Terminal.Complain(program, $"{fault.GetType().Name}: {fault.Message} {place}", "this is a fault of the program itself; report it with this line");
            return ExitCodes.LoopDied;
        }
    }

    // The library speaks of types and puts lists on lines of their own.
    private static string Plainly(ParseResult parsed)
    {
        var message = parsed.CommandResult.Command.Subcommands.Count > 0 && parsed.UnmatchedTokens.Count > 0
            ? $"'{parsed.UnmatchedTokens[0]}' is not a command"
            : parsed.Errors[0].Message.TrimEnd('.');
        message = WholeNumber().Replace(message, "expected a whole number");
        return string.Join(' ', message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    [GeneratedRegex(@"expected type 'System\.[^']*Int32[^']*'")]
    private static partial Regex WholeNumber();
}
