namespace FleetSidecar.Testing;

/// <summary>A program at a terminal: its output is read from the terminal's other end.</summary>
public static class Pty
{
    /// <summary>Runs to the end; what the terminal was sent.</summary>
    public static Task<(int ExitCode, string Text)> RunAsync(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null) =>
        TestProgram.RunAsync("/usr/bin/script", ["--quiet", "--return", "--command", string.Join(' ', arguments.Prepend(file).Select(Quote)), "/dev/null"],
            (environment ?? new Dictionary<string, string?>()).Append(new("SHELL", "/bin/sh")).Append(new("TERM", "xterm")).ToDictionary());

    private static string Quote(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
