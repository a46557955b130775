using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace FleetSidecar.Testing;

/// <summary>A program run as a process: its lines are kept, it can be killed and asked to stop, and it never outlives its test.</summary>
public sealed class TestProgram : IDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    [SuppressMessage("ApiDesign", "RS0030", Justification = "The tests' one place that starts programs.")]
    private TestProgram(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment, string? directory)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory ?? "",
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>The published program where a test run names it, because that is what gets shipped; otherwise the one that was built beside the tests.</summary>
    public static string Sidecar => Environment.GetEnvironmentVariable("FLEET_TEST_SIDECAR") is { Length: > 0 } published ? published : Built("Sidecar", "fleet-sidecar");

    public static string Hub => Environment.GetEnvironmentVariable("FLEET_TEST_HUB") is { Length: > 0 } other ? other : Built("Hub", "fleet-hub");

    public static string AgentStandIn => Built("AgentStandIn", "agent-stand-in");

    /// <summary>The checkout that these tests were built from.</summary>
    public static string Root { get; } = FindRoot();

    public int Pid => _process.Id;

    public bool IsRunning => !_process.HasExited;

    public IReadOnlyCollection<string> Lines => _lines;

    public string Text => string.Join('\n', _lines);

    public static TestProgram Start(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? directory = null) =>
        new(file, arguments, environment, directory);

    /// <summary>Runs to the end.</summary>
    public static async Task<(int ExitCode, string Text)> RunAsync(
        string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string? directory = null)
    {
        using var program = new TestProgram(file, arguments, environment, directory);
        return (await program.EndAsync(), program.Text);
    }

    public static async Task<string> MustAsync(string file, params string[] arguments)
    {
        var (code, text) = await RunAsync(file, arguments);
        return code == 0 ? text : throw new InvalidOperationException($"{Path.GetFileName(file)} {string.Join(' ', arguments)} ended with {code}: {text}");
    }

    /// <summary>kill -9, and gone when this returns.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public async Task SignalAsync(string signal) => await MustAsync("/bin/kill", $"-{signal}", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));

    public async Task<int> EndAsync(TimeSpan? limit = null)
    {
        using var deadline = new CancellationTokenSource(limit ?? TimeSpan.FromSeconds(60));
        await _process.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    public Task WaitForLineAsync(string part, TimeSpan? limit = null) => WaitForLinesAsync(part, 1, limit);

    public async Task WaitForLinesAsync(string part, int count, TimeSpan? limit = null)
    {
        try
        {
            await Wait.UntilAsync(() => _lines.Count(line => line.Contains(part, StringComparison.Ordinal)) >= count, $"{count} lines with '{part}'", limit);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}; there was:\n{Text}");
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }

    private static string Built(string project, string name)
    {
        var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/'));
        return Path.Combine(Root, "artifacts", "bin", project, configuration, name);
    }

    private static string FindRoot()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "FleetSidecar.sln")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException("The tests do not lie below a checkout.");
        }

        return directory;
    }
}
