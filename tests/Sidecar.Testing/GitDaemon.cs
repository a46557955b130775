using System.Globalization;

namespace FleetSidecar.Testing;

/// <summary>A real git server for the repositories of a test that can go away and come back at the same address.</summary>
public sealed class GitDaemon : IDisposable
{
    private readonly TempDir _directory;
    private readonly bool _takesPushes;
    private readonly int _port = FreePort.Take();
    private TestProgram? _program;

    public GitDaemon(TempDir directory, bool takesPushes = true)
    {
        (_directory, _takesPushes) = (directory, takesPushes);
        Start();
    }

    public string AddressOf(GitOrigin origin) => $"git://127.0.0.1:{_port}/{System.IO.Path.GetFileName(origin.Path)}";

    public void Start() => _program = TestProgram.Start("/usr/bin/git",
        ["daemon", "--reuseaddr", "--listen=127.0.0.1", $"--port={_port.ToString(CultureInfo.InvariantCulture)}", "--export-all", _takesPushes ? "--enable=receive-pack" : "--disable=receive-pack", $"--base-path={_directory.Path}", _directory.Path]);

    public void Stop()
    {
        if (_program is null)
        {
            return;
        }

        Signal("KILL");
        _program.Dispose();
        _program = null;
    }

    /// <summary>From here on connections are accepted, by the kernel, and nobody says a word.</summary>
    public void Silence() => Signal("STOP");

    public void Dispose() => Stop();

    // The server proper is a child of the program that was started; both are meant.
    private void Signal(string name)
    {
        foreach (var child in File.ReadAllText($"/proc/{_program!.Pid}/task/{_program.Pid}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            TestProgram.RunAsync("/bin/kill", [$"-{name}", child]).GetAwaiter().GetResult();
        }
    }
}
