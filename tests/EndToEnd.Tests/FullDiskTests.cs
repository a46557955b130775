using System.Net;
using System.Net.Sockets;

namespace FleetSidecar.EndToEnd;

/// <summary>Whatever fills the disk, runs are stopped and end; what met a full disk is done again when there is room.</summary>
public sealed class FullDiskTests : WorkspaceTests
{
    private const string Small = """{ "workspace": { "keepFor": "00:00:00" }, "retention": { "interval": "00:00:01" }, "deadlines": { "wallClock": "00:00:08" }, "selfTest": { "diskFloorBytes": 4000000, "diskFloorInodes": 100 } }""";

    [Theory(Timeout = 120_000), Trait("kind", "a decision that cannot be stored is not acted on")]
    [InlineData("deadline")]
    [InlineData("hub")]
    public async Task L36_an_agent_that_goes_on_filling_the_disk_is_stopped(string by)
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 64);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            [ "$FLEET_TASK_ID" = task-a ] || { echo x > new; git add --all; git commit --quiet -m New; exec fleet-sidecar task complete; }
            echo $$ > "$FLEET_TEST_DIR/pid"; fleet-sidecar task start
            set +e; while :; do cat /dev/zero >> "$FLEET_WORKSPACE/fill"; sleep 0.05; done 2>/dev/null
            """, Small);
        await Wait.UntilAsync(() => File.Exists(Path.Combine(Sidecar.State, "reserve")), "the reserve");
        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => new DriveInfo(Sidecar.State).AvailableFreeSpace == 0, "the disk to be full");
        var agent = (await File.ReadAllTextAsync(Scene["pid"])).Trim();

        if (by == "hub")
        {
            await Hub.SendAsync("""{"type":"task_cancelled","task_id":"task-a","generation":1}""");
        }

        await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the agent to be gone");
        await Sidecar.WaitForStatusAsync(status => status.GetProperty("runs").GetArrayLength() == 0 || status.GetProperty("runs")[0].GetProperty("state").GetString() == "failed", "the slot to be free");
        if (by == "deadline")
        {
            Assert.Contains("wall_clock", (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain("StoreUnavailable]", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Theory(Timeout = 120_000), Trait("kind", "a decision that cannot be stored is not acted on")]
    [InlineData("TERM", "4000000")]
    [InlineData("KILL", "4000000")]
    [InlineData("TERM", "40000000")] // The disk is above its floor, and below twice that.
    [InlineData("KILL", "40000000")]
    [InlineData("KILL", "56000000")]
    public async Task L36_an_agent_that_goes_on_filling_the_disk_is_stopped_also_by_a_sidecar_that_was_started_again_and_again_meanwhile(string signal, string floor)
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 64);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            echo $$ > "$FLEET_TEST_DIR/pid"; fleet-sidecar task start
            set +e; while :; do cat /dev/zero >> "$FLEET_WORKSPACE/fill"; sleep 0.01; done 2>/dev/null
            """, Small.Replace("00:00:08", "00:00:30", StringComparison.Ordinal).Replace("4000000", floor, StringComparison.Ordinal));
        await Wait.UntilAsync(() => File.Exists(Path.Combine(Sidecar.State, "reserve")), "the reserve");
        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => new DriveInfo(Sidecar.State).AvailableFreeSpace == 0, "the disk to be full");
        var agent = (await File.ReadAllTextAsync(Scene["pid"])).Trim();

        for (var start = 0; start < 3; start++)
        {
            await TestProgram.MustAsync("/bin/kill", $"-{signal}", Sidecar.Program.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture));
            await Sidecar.Program.EndAsync();
            await Sidecar.StartAsync();
        }

        await Wait.UntilAsync(() => !LiveProcess.Exists(agent), "the agent to be gone", TimeSpan.FromSeconds(60));
        var failed = await Hub.WaitForAsync("task_failed");
        Assert.True(failed.GetProperty("reason").GetString()!.Contains("wall_clock", StringComparison.Ordinal), $"{failed}\n{Sidecar.Program.Text}");
    }

    [Theory(Timeout = 120_000), Trait("kind", "what a rescue needs is used up by what it saves")]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task L29_work_beside_what_filled_the_disk_is_saved_and_the_next_one_works_also_after_a_start_meanwhile(string signal)
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 160);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            [ "$FLEET_TASK_ID" = task-a ] || { echo x > new; git add --all; git commit --quiet -m New; exec fleet-sidecar task complete; }
            echo small > loose; fleet-sidecar task start
            set +e; while :; do cat /dev/zero >> "$FLEET_RUN_DIR/fill"; sleep 0.01; done 2>/dev/null
            """, Small.Replace("00:00:08", "00:00:12", StringComparison.Ordinal));
        await Wait.UntilAsync(() => File.Exists(Path.Combine(Sidecar.State, "reserve")), "the reserve");
        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => new DriveInfo(Sidecar.State).AvailableFreeSpace == 0, "the disk to be full");

        await TestProgram.MustAsync("/bin/kill", $"-{signal}", Sidecar.Program.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await Sidecar.Program.EndAsync();
        await Sidecar.StartAsync();

        await Hub.WaitForAsync("task_failed", limit: TimeSpan.FromSeconds(60));
        await Wait.ForAsync(() => RefAsync(origin, "refs/fleet/rescue/task-a/1"), "the work on the origin", TimeSpan.FromSeconds(60));
        await Sidecar.WaitForAvailableAsync();
        await CompleteAsync(origin, "task-b", 1);
    }

    [Fact(Timeout = 120_000), Trait("kind", "what saves work fills the disk")]
    public async Task Work_that_does_not_fit_beside_itself_is_kept_and_takes_no_room_from_the_next_one()
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 200);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            [ "$FLEET_TASK_ID" = task-a ] || { echo x > new; git add --all; git commit --quiet -m New; exec fleet-sidecar task complete; }
            head -c 110000000 /dev/urandom > loose; exit 3
            """, Small.Replace("4000000", "40000000", StringComparison.Ordinal));
        await AssignAsync(origin.Path);

        await Sidecar.Program.WaitForLineAsync("work was being saved");

        await Hub.WaitForAsync("task_failed");
        await Sidecar.WaitForAvailableAsync();
        await CompleteAsync(origin, "task-b", 1);
        Assert.True(new DriveInfo(Sidecar.State).AvailableFreeSpace > 40_000_000);
    }

    // The state that a start leaves which dies while it holds them.
    [Fact(Timeout = 120_000), Trait("kind", "a crash leaves an agent stopped")]
    public async Task An_agent_that_a_start_held_still_and_left_so_goes_on_after_the_next_start_also_when_the_disk_has_room_again()
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($"{Scripts.WaitForGo}\necho x > new; git add --all; git commit --quiet -m New; fleet-sidecar task complete");
        await AssignAsync(origin.Path);
        await Scripts.StartedAsync(Scene);
        var agent = Scripts.Executions(Scene).Single().Split(' ')[0];
        Sidecar.Program.Kill();
        await TestProgram.MustAsync("/bin/kill", "-STOP", agent);
        await File.WriteAllTextAsync(Path.Combine(Sidecar.State, "agents-held"), "");

        await Sidecar.StartAsync();
        Scripts.Go(Scene);

        await Hub.WaitForAsync("task_complete");
        Assert.False(File.Exists(Path.Combine(Sidecar.State, "agents-held")));
    }

    [Theory(Timeout = 120_000), Trait("kind", "what a rescue needs is used up by what it saves")]
    [InlineData("")]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task L29_an_agent_that_uses_up_every_inode_is_stopped_its_work_saved_and_the_next_one_works(string signal)
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 200, ",nr_inodes=12000");
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("""
            [ "$FLEET_TASK_ID" = task-a ] || { echo x > new; git add --all; git commit --quiet -m New; exec fleet-sidecar task complete; }
            fleet-sidecar task start; mkdir new; set +e
            number=0; while :; do number=$((number + 1)); echo "line $number" > new/$number || { touch "$FLEET_TEST_DIR/full"; sleep 0.01; }; done 2>/dev/null
            """, Small.Replace("00:00:08", "00:00:12", StringComparison.Ordinal));
        await Wait.UntilAsync(() => File.Exists(Path.Combine(Sidecar.State, "reserve.inodes", "255")), "the reserve");
        await AssignAsync(origin.Path);
        await Wait.UntilAsync(() => File.Exists(Scene["full"]), "no inode to be left");
        for (var start = 0; start < (signal.Length == 0 ? 0 : 2); start++)
        {
            await TestProgram.MustAsync("/bin/kill", $"-{signal}", Sidecar.Program.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture));
            await Sidecar.Program.EndAsync();
            await Sidecar.StartAsync();
        }

        Assert.Contains("wall_clock", (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString(), StringComparison.Ordinal);
        var saved = await Wait.ForAsync(() => RefAsync(origin, "refs/fleet/rescue/task-a/1"), "the rescue", TimeSpan.FromSeconds(60));

        Assert.Equal("line 100", (await origin.GitAsync("show", $"{saved}:new/100")).Trim());
        await Sidecar.WaitForAvailableAsync();
        await CompleteAsync(origin, "task-b", 1);
        await Wait.UntilAsync(() => File.Exists(Path.Combine(Sidecar.State, "reserve.inodes", "255")), "the reserve to be there again");
    }

    // The file that fills it is ignored: nobody has to save it, and it goes with the workspace.
    [Theory(Timeout = 120_000), Trait("kind", "good work is lost to a disk that it filled itself")]
    [InlineData("head -c 200M /dev/zero > fill", ",nr_inodes=0")]
    [InlineData("head -c 200M /dev/zero > fill; dd if=/dev/zero of=fill2 bs=1 count=4096", ",nr_inodes=0")]
    [InlineData("mkdir fill; for i in $(seq 20000); do : > fill/$i || break; done", ",nr_inodes=8000")]
    public async Task L29_work_that_was_committed_and_reported_before_the_disk_was_full_is_delivered(string fill, string options)
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 100, options);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync($$"""
            echo 'fill*' > .gitignore; echo x > "$FLEET_TASK_ID"; git add --all; git commit --quiet -m New
            [ "$FLEET_TASK_ID" = task-a ] || exec fleet-sidecar task complete
            ( set +e; {{fill}} ) 2>/dev/null || :
            fleet-sidecar task complete
            """, Small.Replace("00:00:08", "00:01:00", StringComparison.Ordinal));
        await Wait.UntilAsync(() => File.Exists(Path.Combine(Sidecar.State, "reserve")) && File.Exists(Path.Combine(Sidecar.State, "reserve.inodes", "255")) == options.Contains("8000", StringComparison.Ordinal), "the reserve");
        await AssignAsync(origin.Path);

        await Wait.UntilAsync(() => Hub.Of("task_complete").Any() || Hub.Of("task_failed").Any(), "the end");

        Assert.True(Hub.Of("task_complete").Any(), Sidecar.Program.Text);
        await Sidecar.WaitForAvailableAsync();
        await CompleteAsync(origin, "task-b", 1);
    }

    [Fact(Timeout = 120_000), Trait("kind", "a floor that is looked at once")]
    public async Task A_repository_that_takes_the_disk_below_half_of_the_floor_is_ended_while_it_comes()
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 200);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await StartAsync("exit 0", """{ "selfTest": { "diskFloorBytes": 120000000, "diskFloorInodes": 100 } }""");
        await AssignAsync($"git://127.0.0.1:{((IPEndPoint)silent.LocalEndpoint).Port}/x.git");
        using var git = await silent.AcceptTcpClientAsync(TestContext.Current.CancellationToken); // It waits for what never comes.

        await File.WriteAllBytesAsync(Path.Combine(Sidecar.State, "ballast"), new byte[150_000_000]);

        var reason = (await Hub.WaitForAsync("task_failed")).GetProperty("reason").GetString();
        Assert.StartsWith("disk_full: ", reason, StringComparison.Ordinal);
        Assert.Contains("while the repository was still coming", reason, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(Path.Combine(Sidecar.State, "mirrors"), "*.making-*"));
    }

    [Fact(Timeout = 120_000), Trait("kind", "a date that the framework does not know")]
    public async Task Dates_that_no_calendar_has_cost_no_later_task()
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 64); // A file system that takes such a date.
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo x > \"$FLEET_TASK_ID\"; git add --all; git commit --quiet -m New; fleet-sidecar task complete", Small);
        await CompleteAsync(origin, "task-a", 1);
        await TestProgram.MustAsync("/bin/sh", "-c", $"find '{Sidecar.State}/mirrors' '{Sidecar.State}/runs' '{Sidecar.State}/results' -exec touch -h -d @1099511627776 {{}} +");

        await CompleteAsync(origin, "task-b", 1);
        Sidecar.Program.Kill();
        await Sidecar.StartAsync();
        await CompleteAsync(origin, "task-c", 1);

        Assert.DoesNotContain("Broke]", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000), Trait("kind", "a passing fault is taken for a lasting one")]
    public async Task L29_a_rescue_that_met_a_full_disk_is_done_when_there_is_room()
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["iris-state"], 64);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("head -c 26000000 /dev/urandom > loose; exit 3", Small.Replace("4000000", "1", StringComparison.Ordinal)); // Git meets the end of the disk before the floor ends git.
        await AssignAsync(origin.Path);
        await Sidecar.Program.WaitForLineAsync("RescueFailed]");
        Assert.Contains("Out of diskspace", Sidecar.Program.Text, StringComparison.Ordinal);

        await disk.RemountAsync("size=200m");

        var saved = await Wait.ForAsync(() => RefAsync(origin, "refs/fleet/rescue/task-a/1"), "the rescue", TimeSpan.FromSeconds(60));
        Assert.Equal("26000000", (await origin.GitAsync("cat-file", "-s", $"{saved}:loose")).Trim());
        Assert.DoesNotContain("WorkspaceKept]", Sidecar.Program.Text, StringComparison.Ordinal);
    }

    [Fact(Timeout = 120_000), Trait("kind", "a full disk at the start")]
    public async Task A_control_socket_for_which_there_is_no_room_costs_the_socket_and_not_the_start()
    {
        using var disk = await SmallDisk.TryMountAsync(Scene["sockets"], 2);
        Assert.SkipWhen(disk is null, "this user may not mount a file system");
        await disk.RemountAsync("nr_inodes=1");
        await StartProgramAsync(Scripts.Agent(Scene, "exit 0"), $$"""{ "control": { "socket": "{{Scene["sockets/control.sock"]}}" } }""", available: false);
        await Sidecar.Program.WaitForLineAsync("ControlSocketMissing]");

        await disk.RemountAsync("nr_inodes=100");

        await Wait.UntilAsync(() => File.Exists(Scene["sockets/control.sock"]), "the socket");
        await Sidecar.WaitForStatusAsync(status => status.GetProperty("runs").GetArrayLength() == 0, "an answer");
    }

    [Theory(Timeout = 120_000), Trait("kind", "something else in the place of a directory of ours")]
    [InlineData("workspaces")]
    [InlineData("mirrors")]
    [InlineData("runs")]
    public async Task A_file_in_the_place_of_a_directory_costs_no_later_task(string directory)
    {
        var origin = await GitOrigin.CreateAsync(Scene);
        await StartAsync("echo x > \"$FLEET_TASK_ID\"; git add --all; git commit --quiet -m New; fleet-sidecar task complete");
        await CompleteAsync(origin, "task-a", 1);
        await Wait.UntilAsync(() => Sidecar.Program.Text.Contains("RunMoved]", StringComparison.Ordinal), "the run");
        var place = Path.Combine(Sidecar.State, directory);
        Directory.Move(place, $"{place}.gone");
        await File.WriteAllTextAsync(place, "planted");

        // The next one may have been begun where the directory was.
        await AssignAsync(origin.Path, "task-b");
        await Wait.UntilAsync(() => Hub.Of("task_complete").Concat(Hub.Of("task_failed")).Concat(Hub.Of("task_rejected")).Any(end => end.GetProperty("task_id").GetString() == "task-b"), "task-b to be over");
        await Sidecar.WaitForAvailableAsync();

        await CompleteAsync(origin, "task-c", 1);
    }
}
