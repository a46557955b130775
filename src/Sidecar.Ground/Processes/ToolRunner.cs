using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Loops;

namespace FleetSidecar.Ground.Processes;

/// <summary>How a tool ended. Output is cut at <see cref="ToolRunner.OutputLimit"/>; one that took too long has what it said until then.</summary>
public sealed record ToolOutcome(int ExitCode, string Output, string Error, bool TimedOut)
{
    public bool Ok => ExitCode == 0 && !TimedOut;

    /// <summary>The end of the output and of the errors, also of those that were cut.</summary>
    public (string Output, string Error) Last { get; init; } = (Output, Error);
}

/// <summary>Runs a short-lived tool (git) to its end: argv only, no standard input, bounded output, a time limit that kills the whole tree.</summary>
public sealed class ToolRunner(TimeProvider time)
{
    /// <summary>Most characters kept of each stream.</summary>
    public const int OutputLimit = 1_000_000;

    // It becomes the program: a new process forks only where it leads a group, and one that was just made does not.
    private const string Session = "setsid";
    private const int NoEntry = 2, NoFormat = 8, NotPermitted = 13; // ENOENT, ENOEXEC, EACCES

    private static readonly UTF8Encoding Plain = new(encoderShouldEmitUTF8Identifier: false);

    // How long the last words of a tool that was killed are waited for; its pipes are empty or nobody reads them by then.
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(1);

    /// <param name="command">The program and its arguments.</param>
    /// <param name="environment">All of its variables.</param>
    /// <param name="directory">Where it runs.</param>
    /// <param name="limit">After this it is killed with its children.</param>
    /// <param name="token">Kills it too.</param>
    /// <param name="linger">How long to read on after it has ended while something that it left behind holds its output; null reads to the limit.</param>
    /// <param name="room">Most characters kept of what it prints.</param>
    /// <param name="input">What it reads on its standard input, less than a pipe holds; null for nothing.</param>
    /// <param name="ownSession">For programs that are not ours to know (an agent's, a step's, a hook's): what they do to their whole
    /// process group, <c>kill 0</c> above all, does not reach this process.</param>
    /// <exception cref="SpawnException">The tool is not installed, may not be executed, or may be written by another user.</exception>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "This is the seam that the ban points to.")]
    public async Task<ToolOutcome> RunAsync(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string directory, TimeSpan limit, CancellationToken token, TimeSpan? linger = null, int room = OutputLimit, string? input = null, bool ownSession = false)
    {
        var searchPath = Environment.GetEnvironmentVariable("PATH");
        var program = ProgramFile.Require(command[0], directory, searchPath);
        string[] session = ownSession && ProgramFile.Locate(Session, "/", searchPath) is not null ? [ProgramFile.Require(Session, "/", searchPath)] : [];
        using var process = new Process { StartInfo = Describe([.. session, program, .. command.Skip(1)], environment, directory) };
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            var found = StartFaults.Explain(fault.NativeErrorCode, command[0], directory, [], searchPath);
            throw new SpawnException(found, fault.NativeErrorCode);
        }

        var identity = ProcessIdentity.Of(process.Id);
        Give(process, input);

        // Whoever asks a Process for its streams has to close them; it does not, and each would hold a handle until it is collected.
        using var standardOutput = AsText(process.StandardOutput);
        using var standardError = AsText(process.StandardError);
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, limit);
        var (output, error) = (new KeptText(room), new KeptText(OutputLimit));
        var reading = Task.WhenAll(output.FillAsync(standardOutput, limited.Token), error.FillAsync(standardError, limited.Token));
        try
        {
            await process.WaitForExitAsync(limited.Token);
            if (linger is not { } span)
            {
                await reading;
            }
            else if (!await IsOverAsync(reading, span))
            {
                limited.Cancel();
                await IsOverAsync(reading, LastWords);
            }

            token.ThrowIfCancellationRequested();
            if (session.Length > 0 && NotStarted(process.ExitCode, error.Head, program) is { } reason)
            {
                throw new SpawnException(StartFaults.Explain(reason, command[0], directory, [], searchPath), reason);
            }

            return new ToolOutcome(process.ExitCode, output.Head, error.Head, TimedOut: false) { Last = (output.Tail, error.Tail) };
        }
        catch (OperationCanceledException)
        {
            if (identity is not null)
            {
                ProcessTree.Kill(identity);
            }
            else
            {
                Signals.ToProcess(process.Id, Signals.Kill); // It had ended when it was looked at, or could not be.
            }

            token.ThrowIfCancellationRequested();
            await IsOverAsync(reading, LastWords);
            return new ToolOutcome(-1, output.Head, $"no end after {limit}", TimedOut: true) { Last = (output.Tail, error.Tail) };
        }
    }

    // What setsid(1) ends with where it could not become the program. One that pretends the same gets an error in other words.
    private static int? NotStarted(int exitCode, string error, string program) => !error.StartsWith($"{Session}: ", StringComparison.Ordinal) ? null : exitCode switch
    {
        127 => NoEntry,
        126 => FileAccessCheck.MayExecute(program) ? NoFormat : NotPermitted,
        _ => null,
    };

    // UTF-8 whatever comes first: the framework's own reader takes two bytes of a file's name for a byte order mark and
    // all the rest for UTF-16, and passes over the three bytes of UTF-8's own mark.
    private static StreamReader AsText(StreamReader stream) => new(stream.BaseStream, Plain, detectEncodingFromByteOrderMarks: false);

    private static void Give(Process process, string? input)
    {
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException) when (input is not null)
        {
            // It ended without reading; its exit code says what there is to say.
        }
    }

    private async Task<bool> IsOverAsync(Task reading, TimeSpan span)
    {
        await Task.WhenAny(reading, Task.Delay(span, time, CancellationToken.None));
        return reading.IsCompleted;
    }

    private static ProcessStartInfo Describe(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string directory)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }
}
