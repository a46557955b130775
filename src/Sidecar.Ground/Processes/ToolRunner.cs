using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace FleetSidecar.Ground.Processes;

/// <summary>How a tool ended. Output is cut at <see cref="ToolRunner.OutputLimit"/>.</summary>
public sealed record ToolOutcome(int ExitCode, string Output, string Error, bool TimedOut)
{
    public bool Ok => ExitCode == 0 && !TimedOut;
}

/// <summary>Runs a short-lived tool (git) to its end: argv only, no standard input, bounded output, a time limit that kills the whole tree.</summary>
public sealed class ToolRunner(TimeProvider time)
{
    /// <summary>Most characters kept of each stream.</summary>
    public const int OutputLimit = 1_000_000;

    /// <exception cref="SpawnException">The tool is not installed or may not be executed.</exception>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "This is the seam that the ban points to.")]
    public async Task<ToolOutcome> RunAsync(
        IReadOnlyList<string> command, IReadOnlyDictionary<string, string> environment, string directory, TimeSpan limit, CancellationToken token)
    {
        using var process = new Process { StartInfo = Describe(command, environment, directory) };
        try
        {
            process.Start();
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            throw new SpawnException(command[0], fault.NativeErrorCode);
        }

        process.StandardInput.Close();

        // Whoever asks a Process for its streams has to close them; it does not, and each would hold a handle until it is collected.
        using var standardOutput = process.StandardOutput;
        using var standardError = process.StandardError;
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CreateTimer(_ => limited.Cancel(), null, limit, Timeout.InfiniteTimeSpan);
        var output = ReadAsync(standardOutput, limited.Token);
        var error = ReadAsync(standardError, limited.Token);
        try
        {
            await process.WaitForExitAsync(limited.Token);
            return new ToolOutcome(process.ExitCode, await output, await error, TimedOut: false);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            token.ThrowIfCancellationRequested();
            return new ToolOutcome(-1, "", $"no end after {limit}", TimedOut: true);
        }
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

    private static async Task<string> ReadAsync(StreamReader stream, CancellationToken token)
    {
        var kept = new StringBuilder();
        var buffer = new char[4096];
        int count;
        while ((count = await stream.ReadAsync(buffer, token)) > 0)
        {
            // Read on past the limit: a pipe that nobody drains hangs the tool.
            kept.Append(buffer, 0, Math.Min(count, OutputLimit - kept.Length));
        }

        return kept.ToString();
    }
}
