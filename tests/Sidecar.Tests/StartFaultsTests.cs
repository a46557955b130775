using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Tests;

/// <summary>A start that failed names the one thing that was missing or closed, whichever way it was started.</summary>
public sealed class StartFaultsTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("no-directory", StartProblem.DirectoryMissing, "its directory")]
    [InlineData("file-for-directory", StartProblem.DirectoryClosed, "it is no directory")]
    [InlineData("no-program", StartProblem.ProgramMissing, "there is no such file")]
    [InlineData("dead-link", StartProblem.ProgramMissing, "the link leads to no file")]
    [InlineData("not-executable", StartProblem.ProgramClosed, "may not execute it")]
    [InlineData("directory-for-program", StartProblem.ProgramClosed, "is a directory")]
    [InlineData("no-interpreter", StartProblem.InterpreterMissing, "its interpreter /nonexistent/node does not exist")]
    [InlineData("carriage-return", StartProblem.InterpreterMissing, "ends with a carriage return")]
    [InlineData("closed-interpreter", StartProblem.InterpreterClosed, "may not be executed")]
    [InlineData("no-first-line", StartProblem.NotAProgram, "neither a program for this machine nor a script")]
    public async Task What_keeps_a_program_from_being_started_is_named_and_nothing_else(string scene, StartProblem problem, string words)
    {
        var (program, directory) = Make(scene);

        var spawned = Assert.Throws<SpawnException>(() => Spawner.Start(new SpawnRequest([program], [], directory, _directory["out"], _directory["err"])));
        var run = await Assert.ThrowsAsync<SpawnException>(() => new ToolRunner(TimeProvider.System).RunAsync(
            [program], new Dictionary<string, string>(), directory, TimeSpan.FromSeconds(10), CancellationToken.None));

        Assert.Equal((problem, problem, problem), (spawned.Problem, run.Problem, StartFaults.Find(program, directory)!.Problem));
        Assert.Contains(words, spawned.Message, StringComparison.Ordinal);
        Assert.Equal(spawned.Message, run.Message);
        Assert.NotEmpty(spawned.Hint);
    }

    [Fact]
    public void A_file_for_output_that_cannot_be_opened_is_not_blamed_on_the_program()
    {
        var fault = Assert.Throws<SpawnException>(() => Spawner.Start(new SpawnRequest(["/bin/true"], [], "/", _directory["gone/out"], _directory["err"])));

        Assert.Equal(StartProblem.OutputClosed, fault.Problem);
        Assert.Contains(_directory["gone/out"], fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_program_whose_loader_is_missing_says_so()
    {
        var program = _directory["foreign"];
        var bytes = File.ReadAllBytes("/bin/true");
        var at = bytes.AsSpan().IndexOf("/ld-linux"u8);
        "/no-linux"u8.CopyTo(bytes.AsSpan(at));
        File.WriteAllBytes(program, bytes);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var fault = Assert.Throws<SpawnException>(() => Spawner.Start(new SpawnRequest([program], [], "/", _directory["out"], _directory["err"])));

        Assert.Equal(StartProblem.InterpreterMissing, fault.Problem);
        Assert.Contains("/no-linux", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_found_against_a_program_that_can_be_started()
    {
        Assert.Null(StartFaults.Find("/bin/true", "/"));
        Assert.Null(StartFaults.Find("true", "/", "/nonexistent:/usr/bin:/bin"));
        Assert.Null(StartFaults.Find(_directory.WriteScript("script", "exit 0"), _directory.Path));
        Assert.Equal(StartProblem.ProgramMissing, StartFaults.Find("no-such-tool", "/", "/usr/bin:/bin")!.Problem);
    }

    [Theory]
    [InlineData("#!/bin/sh\necho", "/bin/sh")]
    [InlineData("#! /usr/bin/env node\n", "/usr/bin/env")]
    [InlineData("#!\t/bin/sh -e\n", "/bin/sh")]
    [InlineData("#!/bin/sh\r\n", "/bin/sh\r")]
    [InlineData("#!\n", "")]
    [InlineData("#!/bin/sh", "/bin/sh")]
    [InlineData("echo", null)]
    [InlineData("", null)]
    public void The_interpreter_is_read_as_the_kernel_reads_it(string head, string? interpreter) =>
        Assert.Equal(interpreter, StartFaults.Interpreter(System.Text.Encoding.UTF8.GetBytes(head)));

    private (string Program, string Directory) Make(string scene)
    {
        var good = _directory.WriteScript("good", "exit 0");
        switch (scene)
        {
            case "no-directory": return (good, _directory["nowhere"]);
            case "file-for-directory": return (good, _directory.Write("file", ""));
            case "no-program": return (_directory["nothing"], _directory.Path);
            case "dead-link":
                File.CreateSymbolicLink(_directory["link"], _directory["nothing"]);
                return (_directory["link"], _directory.Path);
            case "not-executable": return (_directory.Write("plain", "#!/bin/sh\n"), _directory.Path);
            case "directory-for-program": return (Directory.CreateDirectory(_directory["folder"]).FullName, _directory.Path);
            case "no-interpreter": return (Script("#!/nonexistent/node\n"), _directory.Path);
            case "carriage-return": return (Script("#!/bin/sh\r\nexit 0\r\n"), _directory.Path);
            case "closed-interpreter": return (Script($"#!{_directory.Write("closed", "x")}\n"), _directory.Path);
            case "no-first-line": return (Script("\u0001\u0002\u0003 nothing that runs\n"), _directory.Path);
            default: throw new ArgumentOutOfRangeException(nameof(scene), scene, null);
        }
    }

    private string Script(string text)
    {
        var path = _directory.Write("script", text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
