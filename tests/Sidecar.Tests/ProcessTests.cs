using FleetSidecar.Configuration;
using FleetSidecar.Drain;
using FleetSidecar.Agents;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Tests;

/// <summary>Starting, naming, watching and recording real processes.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly ProcessWatch _watch = new();

    public void Dispose()
    {
        _directory.Dispose();
        _watch.Dispose();
    }

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 42", 42)]
    [InlineData("kill -9 $$", 137)]
    [InlineData("kill -TERM $$", 143)]
    public async Task The_recorder_writes_who_it_is_before_the_agent_and_how_it_ended_after_it(string body, int code)
    {
        var agent = _directory.WriteScript("agent", "cat runs/run-1/wake-1/recorder > seen\n" + body);
        using var watch = new ProcessWatch();

        var pid = Record([agent]);
        await watch.EndOfAsync(ProcessIdentity.Of(pid) ?? new ProcessIdentity(pid, 0, ""));

        Assert.Equal(pid, Recorder.ReadNote(RecordPath)!.Pid);
        Assert.Equal(File.ReadAllText(Recorder.Note(RecordPath)), File.ReadAllText(_directory["seen"]));
        Assert.Equal(code, Recorder.ReadEnd(RecordPath, TimeProvider.System.GetUtcNow()).ExitCode);
    }

    [Fact(Timeout = 120_000)]
    public async Task What_a_tool_started_ends_with_it_however_many_and_in_whatever_session()
    {
        var mark = $"FLEET_TREE={Guid.NewGuid():N}";
        var script = $"for i in $(seq 300); do sleep 600 & done; setsid sh -c 'sleep 600 & wait' & : >'{_directory["ready"]}'; wait";
        using var late = new CancellationTokenSource();
        var running = new ToolRunner(TimeProvider.System).RunAsync(["/bin/sh", "-c", script], new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin", ["FLEET_TREE"] = mark.Split('=')[1] }, "/", TimeSpan.FromMinutes(5), late.Token);
        await Wait.UntilAsync(() => File.Exists(_directory["ready"]) && LiveProcess.With(mark).Count() > 302, "all of them");

        await late.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await Wait.UntilAsync(() => !LiveProcess.With(mark).Any(), "none of them");
    }

    [Fact]
    public async Task Arguments_arrive_as_they_are_whatever_stands_in_them()
    {
        var agent = _directory.WriteScript("agent", "printf '%s\\0' \"$@\" > argv");
        string[] arguments = ["$(touch x)", "a b", "'", "\"", "", "*", "--", "-n", "naïve 漢字", "\\", "$1", "`id`"];
        using var watch = new ProcessWatch();

        var pid = Record([agent, .. arguments]);
        await watch.EndOfAsync(ProcessIdentity.Of(pid) ?? new ProcessIdentity(pid, 0, ""));

        Assert.Equal(arguments, File.ReadAllText(_directory["argv"]).Split('\0')[..^1]);
        Assert.False(File.Exists(_directory["x"]));
    }

    [Fact]
    public async Task No_watch_ends_before_its_process_however_many_begin_and_end_at_once()
    {
        // A child that was forked but has not become its program yet holds every handle for a moment; so both kinds of start at once.
        var tools = new ToolRunner(TimeProvider.System);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(lane => Task.Run(async () =>
        {
            for (var count = 0; count < 60; count++)
            {
                var process = ProcessIdentity.Of(Start(["/bin/sleep", $"0.00{lane}"]));
                await tools.RunAsync(["/bin/true"], new Dictionary<string, string>(), "/", TimeSpan.FromSeconds(10), CancellationToken.None);
                if (process is not null)
                {
                    await _watch.EndOfAsync(process).WaitAsync(TimeSpan.FromSeconds(20));
                    Assert.False(process.IsAlive());
                }
            }
        })));
    }

    [Fact]
    public void A_nul_in_an_argument_is_refused_rather_than_cut() =>
        Assert.Throws<ArgumentException>(() => Start(["/bin/echo", "a\0b"]));

    [Fact]
    public async Task The_agent_is_in_a_session_of_its_own_with_nothing_on_standard_input_and_default_signals()
    {
        using var watch = new ProcessWatch();
        var agent = _directory.WriteScript("agent", "ps -o sid= -p $$ > sid; cat > stdin; grep -E 'SigIgn|SigBlk' /proc/self/status > signals");

        var pid = Start([agent]);
        await watch.EndOfAsync(ProcessIdentity.Of(pid) ?? new ProcessIdentity(pid, 0, ""));

        Assert.Equal(pid.ToString(System.Globalization.CultureInfo.InvariantCulture), File.ReadAllText(_directory["sid"]).Trim());
        Assert.Equal("", File.ReadAllText(_directory["stdin"]));
        const long OfTheThreadLibrary = 0x180000000; // Signals 32 and 33 are glibc's own and cannot be set.
        Assert.All(File.ReadAllLines(_directory["signals"]), line => Assert.Equal(0, Convert.ToInt64(line.Split('\t')[1], 16) & ~OfTheThreadLibrary));
    }

    [Fact]
    public async Task A_stopped_group_still_leaves_its_exit_status()
    {
        using var watch = new ProcessWatch();
        var agent = _directory.WriteScript("agent", "touch up; sleep 300 & wait");
        var pid = Record([agent]);
        var identity = ProcessIdentity.Of(pid)!;
        await Wait.UntilAsync(() => File.Exists(_directory["up"]), "the agent to be up");

        Assert.True(Signals.ToGroup(pid, Signals.Terminate));
        await watch.EndOfAsync(identity);

        Assert.False(identity.IsAlive());
        Assert.Equal(143, Recorder.ReadEnd(RecordPath, TimeProvider.System.GetUtcNow()).ExitCode);
    }

    [Fact]
    public void A_program_that_is_not_there_is_named()
    {
        var fault = Assert.Throws<SpawnException>(() => Start(["/nonexistent"]));

        Assert.Contains("/nonexistent", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_is_itself_and_nobody_else()
    {
        var own = ProcessIdentity.Of(Environment.ProcessId)!;

        Assert.True(own.IsAlive());
        Assert.False((own with { StartTicks = own.StartTicks + 1 }).IsAlive());
        Assert.False((own with { BootId = "another boot" }).IsAlive());
    }

    [Theory]
    [InlineData("17 (a) b) c) S 1 17 17 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123456 0", 123456L)]
    [InlineData("17 (x) Z 1 17 17 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 123456 0", null)]
    [InlineData("17 (x) S 1 17", null)]
    [InlineData("", null)]
    [InlineData("garbage", null)]
    public void The_start_time_is_read_from_behind_the_last_bracket(string stat, long? ticks) =>
        Assert.Equal(ticks, ProcessIdentity.FromStat(stat, "boot")?.StartTicks);

    [Theory]
    [InlineData("3")]
    [InlineData("three\n")]
    [InlineData("")]
    public void An_exit_record_that_was_cut_off_counts_as_none(string text)
    {
        _directory.Write("runs/run-1/wake-1/exit", text);

        Assert.Null(Recorder.ReadEnd(RecordPath, TimeProvider.System.GetUtcNow()).ExitCode);
    }

    [Fact]
    public async Task A_tool_that_takes_too_long_is_killed_with_its_children_and_a_loud_one_is_cut()
    {
        var tools = new ToolRunner(TimeProvider.System);
        var path = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };

        var slow = await tools.RunAsync(["sh", "-c", "sleep 300 & echo $! > child; wait"], path, _directory.Path, TimeSpan.FromMilliseconds(300), CancellationToken.None);
        var loud = await tools.RunAsync(["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero >&2"], path, _directory.Path, TimeSpan.FromSeconds(20), CancellationToken.None);

        Assert.True(slow.TimedOut);
        var child = File.ReadAllText(_directory["child"]).Trim();
        await Wait.UntilAsync(() => !LiveProcess.Exists(child), "the child to be gone");
        Assert.True(loud.Ok);
        Assert.Equal(ToolRunner.OutputLimit, loud.Output.Length);
    }

    [Theory]
    [InlineData(@"\377\376src/a.cs", "\uFFFD\uFFFDsrc/a.cs")]
    [InlineData(@"\357\273\277src/a.cs", "\uFEFFsrc/a.cs")]
    [InlineData(@"a\360\237\230\200b\0c", "a😀b\0c")]
    public async Task What_a_tool_prints_is_utf8_whatever_comes_first(string printed, string expected)
    {
        var tools = new ToolRunner(TimeProvider.System);
        var path = new Dictionary<string, string> { ["PATH"] = "/usr/bin:/bin" };

        var outcome = await tools.RunAsync(["printf", printed], path, _directory.Path, TimeSpan.FromSeconds(20), CancellationToken.None);
        var cut = await tools.RunAsync(["printf", printed], path, _directory.Path, TimeSpan.FromSeconds(20), CancellationToken.None, room: 2);

        Assert.Equal(expected, outcome.Output);
        Assert.Equal(2, cut.Output.Length); // A cut through a pair is no shorter: its length says that it is not all.
        Assert.False(char.IsHighSurrogate(cut.Output[^1]));
    }

    [Fact]
    public async Task A_recorder_whose_order_is_cut_off_starts_nothing_and_leaves_no_note()
    {
        var agent = _directory.WriteScript("agent", "touch ran");
        using var watch = new ProcessWatch();
        using var berths = new Berths(Config, _watch, new Availability(), TimeProvider.System);
        int pid;
        using (var berth = berths.Take("run-1", "n", 1, Some.Profile()))
        {
            pid = berth.Pid;
            Assert.True(berth.TrySend(Recorder.Order(Some.Run(), _directory.Path, "/dev/null", [agent])[..^2]));
        }

        await watch.EndOfAsync(ProcessIdentity.Of(pid) ?? new ProcessIdentity(pid, 0, ""));

        Assert.Null(Recorder.ReadNote(RecordPath));
        Assert.False(File.Exists(_directory["ran"]));
    }

    [Fact]
    public async Task A_berth_that_is_ready_goes_with_its_daemon_and_one_whose_recorder_was_killed_says_so()
    {
        using var watch = new ProcessWatch();
        using (var berths = new Berths(Config, _watch, new Availability(), TimeProvider.System))
        {
            await berths.RefillAsync(Some.Profile(), CancellationToken.None);
            var (id, nonce, _) = berths.Ready!.Value;
            await Wait.UntilAsync(() => ProcessScan.AllByNonce(nonce).Count > 0, "the recorder, whose environment is not to be read in the instant of its exec");
            var waiting = Assert.Single(ProcessScan.AllByNonce(nonce));
            Assert.True(ProcessScan.IsRecorder(waiting));
            Signals.ToProcess(waiting.Pid, Signals.Kill);
            await watch.EndOfAsync(waiting);
            using (var berth = berths.Take(id, nonce, 1, Some.Profile()))
            {
                Assert.False(berth.TrySend(Recorder.Order(Some.Run(), _directory.Path, "/dev/null", ["/bin/true"])));
            }

            await berths.RefillAsync(Some.Profile(), CancellationToken.None);
            nonce = berths.Ready!.Value.Nonce;
            await Wait.UntilAsync(() => ProcessScan.AllByNonce(nonce).Count > 0, "the next recorder");
            waiting = Assert.Single(ProcessScan.AllByNonce(nonce));
            berths.Dispose();
            await watch.EndOfAsync(waiting);
        }

        new Berths(Config, _watch, new Availability(), TimeProvider.System).Sweep(new HashSet<string>());
        Assert.Empty(Directory.GetDirectories(Config.RunsDirectory));
    }

    private Configuration.SidecarConfig Config => new() { StateDirectory = _directory.Path };

    private string RecordPath => Recorder.Directory(Path.Combine(Config.RunsDirectory, "run-1"), 1);

    private int Record(IReadOnlyList<string> command)
    {
        using var berths = new Berths(Config, _watch, new Availability(), TimeProvider.System);
        using var berth = berths.Take("run-1", "n", 1, Some.Profile());
        Assert.True(berth.TrySend(Recorder.Order(Some.Run(), _directory.Path, "/dev/null", command)));
        return berth.Pid;
    }

    private int Start(IReadOnlyList<string> command) => Spawner.Start(new SpawnRequest(
        command, [new("PATH", "/usr/bin:/bin")], _directory.Path, _directory["stdout"], _directory["stderr"]));
}
