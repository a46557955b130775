using FleetSidecar.Supervise;

namespace FleetSidecar.Tests;

/// <summary>What a member prints is bounded, whatever it does to the names of its files.</summary>
public sealed class MemberOutputTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 60_000), Trait("kind", "what has another name fills the disk")]
    [InlineData(":"), InlineData("mv stdout stdout.old"), InlineData("rm stdout"), InlineData("mv stdout x; ln -s /etc/passwd stdout"), InlineData("seq 300 | xargs touch"), InlineData("mv stdout stdout.1"), InlineData("mv stdout x; seq 300 | xargs touch")]
    public async Task A_stream_that_passes_its_limit_is_emptied(string act)
    {
        var config = Some.Config();
        config.StateDirectory = _directory.Path;
        var (home, member) = (new MemberHome(config), new MemberOptions { Name = "web" });
        Directory.CreateDirectory(home.Directory(member));
        using var program = TestProgram.Start("/bin/sh", ["-c", $"cd '{home.Directory(member)}'; exec >>stdout; {act}; head -c 20000000 /dev/zero; echo full >full; exec sleep 60"]);
        home.Write(member, $$"""{"nonce":"n","pid":{{program.Pid}},"starts":[],"reported":[]}""");
        Assert.Equal(program.Pid, home.Read(member)?.Pid);
        await Wait.UntilAsync(() => File.Exists(Path.Combine(home.Directory(member), "full")), "twenty megabytes");

        home.BoundOutput(member);

        Assert.Equal("0", (await TestProgram.MustAsync("/usr/bin/stat", "-L", "-c", "%s", $"/proc/{program.Pid}/fd/1")).Trim());
        Assert.NotEqual(0, new FileInfo("/etc/passwd").Length);
    }

    [Fact(Timeout = 60_000), Trait("kind", "a pipe in the place of a file")]
    public async Task A_member_that_prints_into_a_pipe_of_its_home_costs_nobody_a_look()
    {
        var config = Some.Config();
        config.StateDirectory = _directory.Path;
        var (home, member) = (new MemberHome(config), new MemberOptions { Name = "web" });
        Directory.CreateDirectory(home.Directory(member));
        using var program = TestProgram.Start("/bin/sh", ["-c", $"cd '{home.Directory(member)}'; mkfifo p; exec 1<>p; echo full >full; exec sleep 60"]);
        home.Write(member, $$"""{"nonce":"n","pid":{{program.Pid}},"starts":[],"reported":[]}""");
        await Wait.UntilAsync(() => File.Exists(Path.Combine(home.Directory(member), "full")), "the pipe");
        await File.WriteAllBytesAsync(home.Output(member), new byte[20_000_000], TestContext.Current.CancellationToken);

        home.BoundOutput(member);

        Assert.Equal(0, new FileInfo(home.Output(member)).Length);
    }

    // A program that writes its own log elsewhere knows itself when it is too long.
    [Fact(Timeout = 60_000)]
    public async Task A_file_that_a_member_opened_elsewhere_is_its_own()
    {
        var config = Some.Config();
        config.StateDirectory = _directory["state"];
        var (home, member) = (new MemberHome(config), new MemberOptions { Name = "web" });
        Directory.CreateDirectory(home.Directory(member));
        using var program = TestProgram.Start("/bin/sh", ["-c", $"cd '{_directory.Path}'; exec >>own.log; head -c 20000000 /dev/zero; rm own.log; echo full >full; exec sleep 60"]);
        home.Write(member, $$"""{"nonce":"n","pid":{{program.Pid}},"starts":[],"reported":[]}""");
        await Wait.UntilAsync(() => File.Exists(_directory["full"]), "twenty megabytes");

        home.BoundOutput(member);

        Assert.Equal("20000000", (await TestProgram.MustAsync("/usr/bin/stat", "-L", "-c", "%s", $"/proc/{program.Pid}/fd/1")).Trim());
    }
}
