using FleetSidecar.Agents;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Processes;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Tests;

/// <summary>What is said to the service manager and how its answers are read, without one.</summary>
public sealed class AgentUnitRulesTests
{
    private static readonly UnitOrder Order = new("/r/wake-1", "/w", "/dev/null", [new("FLEET_TASK_ID", "task-1"), new("ODD", "a b=c $(x) 'y'")], ["/bin/agent", "--flag", "", ". x", "e=1"]);

    [Fact]
    public async Task An_order_is_lines_that_a_shell_reads_back_word_for_word()
    {
        Assert.Null(Order.Problem);
        using var directory = new Testing.TempDir();
        var script = directory.WriteScript("read", """
            exec 3<"$1"; IFS= read -r v <&3; IFS= read -r r <&3; IFS= read -r w <&3; IFS= read -r i <&3; set --
            while IFS= read -r line <&3; do case $line in e*) export "${line#e}" ;; a*) set -- "$@" "${line#a}" ;; .) echo whole ;; esac; done
            printf '[%s]' "$v" "$r" "$w" "$i" "$ODD" "$@"
            """);
        Assert.Equal("whole\n[fleet-order 1][/r/wake-1][/w][/dev/null][a b=c $(x) 'y'][/bin/agent][--flag][][. x][e=1]",
            (await Testing.TestProgram.RunAsync("/bin/dash", [script, directory.Write("order", Order.Text)])).Text);
    }

    [Theory]
    [InlineData("A\nB", "x", "v")]
    [InlineData("NAME", "x\ny", "v")]
    [InlineData("1NAME", "x", "v")]
    [InlineData("NA-ME", "x", "v")]
    [InlineData("", "x", "v")]
    [InlineData("NAME", "x", "v\nw")]
    [InlineData("NAME", "x\0", "v")]
    public void What_would_not_arrive_as_it_is_is_refused(string name, string value, string word) =>
        Assert.NotNull((Order with { Environment = [new(name, value)], Command = ["/bin/agent", word] }).Problem);

    [Theory]
    [InlineData("0 success 0\n", 0, false)]
    [InlineData("137 signal 1\n", 137, true)]
    [InlineData("137 signal 0\n", 137, false)]
    [InlineData("137 oom-kill unknown\n", 137, true)]
    [InlineData("1 exit-code 3\n", 1, true)] // A wrapper whose child was killed.
    [InlineData("1 exit-code 0\n", 1, false)]
    [InlineData("0 success 3\n", 0, false)]
    [InlineData("143 timeout unknown\n", 143, false)]
    public void The_end_of_a_unit_is_read_from_three_witnesses(string text, int code, bool outOfMemory)
    {
        var end = UnitEnd.Parse(text)!;
        Assert.Equal((code, outOfMemory), (end.ExitCode, end.OutOfMemory));
    }

    [Theory]
    [InlineData("")]
    [InlineData("137")]
    [InlineData("x success 0")]
    [InlineData("-1 success 0")]
    [InlineData("1 2 3 4")]
    public void Half_an_end_is_none(string text) => Assert.Null(UnitEnd.Parse(text));

    [Theory]
    [InlineData("/var/lib/fleet-sidecar", "run_0a1b2c3d4e5f", "fleet-agent@run_0a1b2c3d4e5f.service")]
    [InlineData("/var/lib/fleet-sidecar-instances/iris", "run_0a1b2c3d4e5f", "fleet-agent@iris-run_0a1b2c3d4e5f.service")]
    [InlineData("/var/lib/fleet-sidecar-instances/my-agent", "run_0a1b2c3d4e5f", @"fleet-agent@my\x2dagent-run_0a1b2c3d4e5f.service")]
    public void A_runs_unit_is_named_after_its_directories(string state, string run, string unit)
    {
        using var directory = new TempDir();
        var config = new SidecarConfig { StateDirectory = state };
        var slots = new AgentSlots(config, directory["slots"]);
        var units = new AgentUnits(config, slots, new ToolRunner(TimeProvider.System));
        Assert.Equal(unit, units.NameOf(run));
        Assert.True(slots.Take(run, count: 12));
        Assert.Equal(unit.Replace("agent@", "agent-1@", StringComparison.Ordinal), units.NameOf(run));
        Assert.Equal(run, units.RunOf(units.NameOf(run)));
        Assert.Equal(run, units.RunOf(unit));
        Assert.Null(units.RunOf("fleet-agent@selftest.service"));
        Assert.Null(units.RunOf("fleet-agent@other-run_0a1b2c3d4e5f.service"));
        Assert.Null(units.RunOf("sshd.service"));
        Assert.Null(units.RunOf("fleet-agent-1@run_foo-run_0a1b2c3d4e5f.service"));
        Assert.Null(units.RunOf("fleet-takeback@run_0a1b2c3d4e5f.service"));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("all")]
    public void A_claim_of_an_instance_with_a_colon_in_its_name_is_found_again_after_a_crash(string network)
    {
        using var directory = new TempDir();
        var config = new SidecarConfig { StateDirectory = "/var/lib/fleet-sidecar-instances/a:b" };
        Assert.True(new AgentSlots(config, directory["slots"]).Take("run_0a1b2c3d4e5f", 3, network));

        var again = new AgentSlots(config, directory["slots"]);

        Assert.Equal((1, network), (again.Of("run_0a1b2c3d4e5f"), again.NetworkOf("run_0a1b2c3d4e5f")));
    }

    [Fact]
    public void What_a_run_reaches_of_the_network_is_in_its_claim_and_in_its_units_name_and_found_again_after_a_crash()
    {
        using var directory = new TempDir();
        var config = new SidecarConfig { StateDirectory = "/var/lib/fleet-sidecar" };
        const string Run = "run_0a1b2c3d4e5f";
        Assert.True(Slots().Take(Run, 3, NetworkPolicy.None));
        Assert.Equal("fleet-agent-none-1@run_0a1b2c3d4e5f.service", Units().NameOf(Run));
        Assert.Equal(Run, Units().RunOf(Units().NameOf(Run)));

        Assert.True(Slots().Take(Run, 3, NetworkPolicy.List)); // A retry with another profile.
        Assert.Equal("fleet-agent-list-1@run_0a1b2c3d4e5f.service", Units().NameOf(Run));
        Assert.True(Slots().Take("run_000000000002", 3));
        Assert.Equal("fleet-agent-2@run_000000000002.service", Units().NameOf("run_000000000002"));
        Assert.True(Slots().Take(Run, 3));
        Assert.Equal("fleet-agent-1@run_0a1b2c3d4e5f.service", Units().NameOf(Run));
        Assert.Equal(2, Directory.GetFileSystemEntries(directory["slots"]).Length);
        Assert.Null(Units().RunOf("fleet-agent-root-1@run_0a1b2c3d4e5f.service"));

        Slots().GiveBack(Run);
        Assert.Equal((null, NetworkPolicy.All), (Slots().Of(Run), Slots().NetworkOf(Run)));

        AgentSlots Slots() => new(config, directory["slots"]);
        AgentUnits Units() => new(config, Slots(), new ToolRunner(TimeProvider.System));
    }

    [Fact]
    public void A_slot_is_one_runs_of_all_sidecars_until_it_is_given_back_and_found_again_after_a_crash()
    {
        using var directory = new TempDir();
        SidecarConfig[] configs = [new() { StateDirectory = "/var/lib/fleet-sidecar" }, new() { StateDirectory = "/var/lib/fleet-sidecar-instances/gone" }];
        var (one, other) = (Slots(0), Slots(1));

        Assert.True(one.Take("run_1", 3));
        Assert.True(one.Take("run_1", 3));
        Assert.True(one.Take("run_2", 3));
        Assert.True(Slots(0).Take("run_3", 3));
        Assert.False(other.Take("run_1", 3));
        Assert.Equal([1, 2, 3, null], Enumerable.Range(1, 4).Select(number => Slots(0).Of($"run_{number}")));
        Assert.Null(other.Of("run_1"));

        Slots(0).KeepOnly(new HashSet<string> { "run_1", "run_3" });
        Assert.True(other.Take("run_1", 3));
        Assert.Equal(2, Slots(1).Of("run_1"));
        Assert.True(Slots(0).Take("run_5", 3)); // The machine has no instance of that name any more.
        Assert.Equal(2, Slots(0).Of("run_5"));
        var user = Slots(0);
        using (user.Use("run_5")) // Its verification step, which a cancelled run does not wait for.
        {
            user.KeepOnly(new HashSet<string> { "run_1", "run_3" });
            Assert.Equal(2, user.Of("run_5"));
        }

        Assert.Null(user.Of("run_5"));
        Assert.Equal(["1", "3"], Directory.GetFileSystemEntries(directory["slots"]).Select(path => Path.GetFileName(path)!).Order());

        AgentSlots Slots(int sidecar) => new(configs[sidecar], directory["slots"]);
    }

    [Fact]
    public void Directories_that_agents_see_lie_side_by_side_for_all_sidecars_of_a_machine()
    {
        var config = new SidecarConfig { StateDirectory = "/var/lib/fleet-sidecar-instances/iris" };
        Assert.Equal("/var/lib/fleet-sidecar/runs/iris", config.RunsDirectory);
        Assert.Equal("/var/lib/fleet-sidecar/workspaces/iris", config.WorkspacesDirectory);
        Assert.Equal("/var/lib/fleet-sidecar-instances/iris/state.db", config.DatabaseFile);
    }

    [Theory]
    [InlineData("/system.slice/fleet-sidecar.service", "fleet-sidecar.service")]
    [InlineData("/fleet.slice/fleet-agents.slice/fleet-agent@run_1.service/sub/x", "fleet-agent@run_1.service")]
    [InlineData("/user.slice/user-0.slice/session-1.scope", "session-1.scope")]
    [InlineData("/user.slice/user-1000.slice/user@1000.service/app.slice/fleet-agent@run_1.service", "user@1000.service")]
    [InlineData("/elsewhere/fleet-agent@run_1.service", null)]
    [InlineData("/", null)]
    public void A_process_is_in_the_unit_that_its_control_group_names(string path, string? unit) => Assert.Equal(unit, ControlGroup.UnitIn(path));

    [Fact]
    public void In_a_container_that_sees_the_groups_outside_the_managers_own_comes_first() =>
        Assert.Equal("fleet-agent@run_1.service", ControlGroup.UnitIn("/docker-1.scope/system.slice/fleet-agent@run_1.service", "/docker-1.scope"));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(4, 0)]
    [InlineData(5, 1)]
    [InlineData(7, 4)]
    [InlineData(100, 60)]
    public void L23_starts_that_crash_again_and_again_are_held_back_longer_each_time(int against, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), CrashLoopRules.Pause(against, new SafeModeOptions()));
}
