using System.Globalization;

namespace FleetSidecar.Lab;

/// <summary>A machine of its own with a real systemd as PID 1, made by <c>scripts/lab.sh</c> and gone with its test.</summary>
/// <remarks>What a test's machine cannot have here (not root, no namespaces) is a skip with the reason. With <paramref name="disk"/>
/// the machine can be started anew with what it wrote; without, it forgets everything.</remarks>
internal sealed class Machine(string name, TempDir? disk) : IAsyncDisposable
{
    public static string Packages => Path.Combine(TestProgram.Root, "artifacts", "deb");

    private static string Script => Path.Combine(TestProgram.Root, "scripts", "lab.sh");

    private static readonly Lazy<Task<string?>> Missing = new(async () =>
        await TestProgram.RunAsync(Script, ["check"]) is (not 0, var lacks) ? lacks : null);

    /// <summary>Boots one; skips the test where this machine cannot.</summary>
    /// <param name="keepsDisk">What it writes is there again after <see cref="RebootAsync"/>.</param>
    /// <param name="binds">More of this machine that is seen in there: <c>from:to[:ro]</c>.</param>
    public static async Task<Machine> BootAsync(bool keepsDisk = false, params string[] binds)
    {
        Assert.SkipWhen(await Missing.Value is { } lacks, $"no real systemd can be booted here: {await Missing.Value}");
        var machine = new Machine($"test-{System.Environment.ProcessId}-{Guid.NewGuid().ToString("N")[..6]}", keepsDisk ? new TempDir() : null) { Binds = binds };
        await machine.UpAsync();
        return machine;
    }

    private string[] Binds { get; init; } = [];

    /// <summary>The machine's root directory, seen from here.</summary>
    public string Root { get; private set; } = "";

    /// <summary>Runs a program in there as root; its exit code and all it said.</summary>
    public Task<(int ExitCode, string Text)> TryAsync(params string[] command) => TestProgram.RunAsync(Script, ["exec", .. command], Environment());

    /// <summary>The same, and it must end well.</summary>
    public async Task<string> RunAsync(params string[] command) => await TryAsync(command) is (0, var text)
        ? text : throw new InvalidOperationException($"{string.Join(' ', command)} failed in the lab: {(await TryAsync(command)).Text}");

    /// <summary>Runs a line of shell in there as root.</summary>
    public Task<string> ShellAsync(string line) => RunAsync("sh", "-c", line);

    /// <summary>One property of a unit.</summary>
    public async Task<string> PropertyAsync(string unit, string property) => (await RunAsync("systemctl", "show", "-P", property, unit)).Trim();

    public async Task<int> NumberAsync(string unit, string property) => int.Parse(await PropertyAsync(unit, property), CultureInfo.InvariantCulture);

    /// <summary>Writes a file in there.</summary>
    public string Write(string path, string text, UnixFileMode? mode = null)
    {
        var file = Root + path;
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        if (mode is { } wanted)
        {
            File.SetUnixFileMode(file, wanted);
        }

        return path;
    }

    /// <summary>Reads a small file in there.</summary>
    public string Read(string path) => File.ReadAllText(Root + path);

    /// <summary>Waits until a line of shell ends with 0 in there.</summary>
    public Task UntilAsync(string line, string what, TimeSpan? limit = null) =>
        Wait.ForAsync(async () => (await TryAsync("sh", "-c", line)).ExitCode == 0 ? what : null, what, limit);

    /// <summary>An orderly shutdown and a new boot, or a power cut and a new boot.</summary>
    public async Task RebootAsync(bool powerCut = false)
    {
        await LabAsync(powerCut ? "crash" : "down");
        await UpAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await LabAsync("down");
        disk?.Dispose();
    }

    private async Task UpAsync()
    {
        await LabAsync("up");
        Root = await LabAsync("root");
    }

    private async Task<string> LabAsync(string verb) => await TestProgram.RunAsync(Script, [verb], Environment()) is (0, var text)
        ? text : throw new InvalidOperationException($"lab {verb}: {(await TestProgram.RunAsync(Script, ["status"], Environment())).Text}");

    private Dictionary<string, string?> Environment() => new()
    {
        ["LAB_NAME"] = name, ["LAB_PERSIST"] = disk?.Path ?? "", ["LAB_BIND"] = string.Join(' ', [$"{Packages}:/deb:ro", .. Binds]),
    };
}
