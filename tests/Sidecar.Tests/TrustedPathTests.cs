using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Tests;

/// <summary>What another user may write, or lead elsewhere, is run by nobody else.</summary>
public sealed class TrustedPathTests : IDisposable
{
    private const uint Stranger = 54321;
    private const UnixFileMode Usual = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("touch a/program", null)]
    [InlineData("true", null)] // Nobody else may put one there.
    [InlineData("chmod 777 a", "a may be written by everybody")]
    [InlineData("chmod 1777 a; touch a/program", null)]
    [InlineData("touch a/program; chmod 757 a/program", "a/program may be written by everybody")]
    [InlineData("touch a/program; chown 54321 a/program", "a/program belongs to user 54321")]
    [InlineData("touch a/program; chown 54321 a", "a belongs to user 54321")]
    [InlineData("touch a/program; chgrp 54321 a; chmod 775 a", "a may be written by its group")]
    [InlineData("touch a/program; chmod 775 a", null)] // The group is root's own.
    [InlineData("mkdir b; touch b/p; ln -s ../b/p a/program", null)]
    [InlineData("mkdir b; touch b/p; chown 54321 b; ln -s ../b/p a/program", "b belongs to user 54321")]
    [InlineData("mkdir b; touch b/p; ln -s \"$PWD/b/p\" a/program; chown -h 54321 a/program", "a/program belongs to user 54321")]
    [InlineData("mkdir b; ln -s b c; touch b/p; ln -s ../c/../c/p a/program", null)]
    [InlineData("mkdir b; ln -s b c; chown -h 54321 c; touch b/p; ln -s ../c/p a/program", "c belongs to user 54321")]
    [InlineData("ln -s program a/program", "a/program is a link that cannot be followed")]
    [InlineData("mkfifo a/program", "a/program is neither a file nor a directory")]
    public async Task Every_step_of_the_way_is_roots_or_ones_own(string make, string? doubt)
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a file away");
        Assert.Equal(0, (await TestProgram.RunAsync("/bin/sh", ["-ec", $"umask 022; cd \"$1\"; mkdir a; {make}", "sh", _directory.Path])).ExitCode);

        var found = TrustedPath.Doubt(_directory["a/program"]);

        Assert.Equal(doubt is null ? null : $"{_directory.Path}/{doubt}", found);
    }

    [Fact]
    public void Root_and_oneself_are_trusted_and_nobody_else()
    {
        File.WriteAllText(_directory["mine"], "");
        File.SetUnixFileMode(_directory["mine"], Usual);

        Assert.Null(TrustedPath.Doubt("/bin/sh", Stranger));
        Assert.Null(TrustedPath.Doubt(_directory["mine"]));
        Assert.Equal(TrustedPath.IsRoot, TrustedPath.Doubt(_directory["mine"], Stranger) is null);
        Assert.NotNull(TrustedPath.Doubt("mine"));
    }

    [Theory]
    [InlineData("#!INTERPRETER\n", true)]
    [InlineData("#!INTERPRETER -x y\n", true)]
    [InlineData("#!/usr/bin/env interpreter\n", true)]
    [InlineData("#!/usr/bin/env -S A=b interpreter --more\n", true)]
    [InlineData("#!/bin/sh\nINTERPRETER\n", false)]
    [InlineData("#!/usr/bin/env sh\n", false)]
    public async Task The_interpreter_that_a_script_names_counts_as_the_program(string firstLine, bool refused)
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a file away");
        Directory.CreateDirectory(_directory["b"]);
        File.WriteAllText(_directory["b/interpreter"], "#!/bin/sh\n");
        File.WriteAllText(_directory["script"], firstLine.Replace("INTERPRETER", _directory["b/interpreter"], StringComparison.Ordinal));
        Assert.Equal(0, (await TestProgram.RunAsync("/bin/sh", ["-ec", "chmod 755 \"$1/script\" \"$1/b/interpreter\"; chown 54321 \"$1/b/interpreter\"", "sh", _directory.Path])).ExitCode);

        var refusal = ProgramFile.Refusal(_directory["script"], "/", $"{_directory["b"]}:/usr/bin:/bin");

        Assert.Equal(refused, refusal is { Problem: StartProblem.ProgramUntrusted });
    }

    [Fact]
    public async Task A_strangers_program_is_started_neither_as_a_tool_nor_to_live_on()
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a file away");
        var program = _directory.WriteScript("program", $"echo ran >> '{_directory["ran"]}'");
        Assert.Equal(0, (await TestProgram.RunAsync("/bin/chown", ["54321", program])).ExitCode);

        var tool = await Assert.ThrowsAsync<SpawnException>(() => RunAsync(program, "/"));
        var spawned = Assert.Throws<SpawnException>(() => Spawner.Start(new SpawnRequest([program], [], "/", _directory["out"], _directory["err"])));

        Assert.Equal((StartProblem.ProgramUntrusted, StartProblem.ProgramUntrusted, StartProblem.ProgramUntrusted), (tool.Problem, spawned.Problem, StartFaults.Find(program, "/")!.Problem));
        Assert.Contains("belongs to user 54321", tool.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["ran"]));
    }

    [Fact]
    public async Task A_bare_name_is_looked_up_in_the_path_alone_and_not_in_the_directory_where_we_are()
    {
        _directory.WriteScript("true", $"echo ran >> '{_directory["ran"]}'");

        var outcome = await RunAsync("true", _directory.Path);

        Assert.True(outcome.Ok);
        Assert.False(File.Exists(_directory["ran"]));
        await Assert.ThrowsAsync<SpawnException>(() => RunAsync("no-such-program", _directory.Path));
    }

    private static Task<ToolOutcome> RunAsync(string program, string directory) =>
        new ToolRunner(TimeProvider.System).RunAsync([program], new Dictionary<string, string>(), directory, TimeSpan.FromSeconds(10), CancellationToken.None);
}
