using FleetSidecar.Configuration;
using FleetSidecar.Supervise;

namespace FleetSidecar.Tests;

/// <summary>How panes and units are read, how tmux is told, and which configuration of a member is refused.</summary>
public sealed class SuperviseTests
{
    private const string Listing = "%0 0 100 0 0 main:bash\n%1 1 101 0 1 main:bash\n%7 0 107 3 0 main:my agent: x\n%8 0 108 0 0 mainly:bash\nnonsense\n";

    [Theory]
    [InlineData("main:0.0", "%0")]
    [InlineData("main:0.1", "%1")]
    [InlineData("main:3.0", "%7")]
    [InlineData("mainly:bash.0", "%8")]
    [InlineData("main:1.0", null)]
    [InlineData("mai:0.0", null)]
    [InlineData("main:0.2", null)]
    public void A_pane_is_the_one_that_is_named_and_no_other(string target, string? pane) => Assert.Equal(pane, TmuxTarget.TryParse(target)!.In(Listing)?.Id);

    [Theory]
    [InlineData("main")]
    [InlineData("main:0")]
    [InlineData("main:0.x")]
    [InlineData("=main:0.0")]
    [InlineData("a b:0.0")]
    [InlineData("-t:0.0")]
    [InlineData(":0.0")]
    [InlineData("a:b:0.0")]
    [InlineData(null)]
    public void What_does_not_name_one_pane_is_no_target(string? text) => Assert.Null(TmuxTarget.TryParse(text));

    [Theory]
    [InlineData("main:0.1", "respawn-pane -t %1")]
    [InlineData("main:0.2", "split-window -d -t =main:0")]
    [InlineData("main:bash.2", "split-window -d -t =main:=bash")]
    [InlineData("main:5.0", "new-window -d -t =main:5")]
    [InlineData("main:work.0", "new-window -d -t =main: -n work")]
    [InlineData("other:0.0", "new-session -d -s other")]
    [InlineData("other:work.0", "new-session -d -s other -n work")]
    public void A_pane_is_made_where_it_is_missing(string target, string expected) => Assert.Equal(expected, string.Join(' ', TmuxStart.Place(TmuxTarget.TryParse(target)!, Listing)));

    [Fact]
    public void Nothing_that_tmux_is_told_can_become_a_command_of_tmux_or_of_a_shell() =>
        Assert.Equal(["/usr/bin/env", "A=$(x)\\;", "/bin/a", "\\;", "b;c", "d\\\\;"], TmuxStart.Command(["/bin/a", ";", "b;c", "d\\;"], [new("A", "$(x);")]));

    [Theory]
    [InlineData("LoadState=loaded\nActiveState=active\nSubState=running\nMainPID=7\n", "Alive { Process = , Pid = 7, Screen = , Waits = False }")]
    [InlineData("LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=oom-kill\n", "Dead { Why = the unit is failed (oom-kill) }")]
    [InlineData("LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success\n", "Dead { Why = the unit is inactive (success) }")]
    [InlineData("LoadState=loaded\nActiveState=activating\nSubState=auto-restart\n", "Unknown { Why = systemd is at it: activating (auto-restart) }")]
    [InlineData("LoadState=not-found\nActiveState=inactive\n", "Unknown { Why = systemd says not-found; a restart would not help }")]
    [InlineData("", "Unknown { Why = systemctl gives no state of the unit }")]
    public void The_state_of_a_unit_says_whether_it_is_down(string properties, string look) => Assert.Equal(look, UnitMember.Read(properties).ToString());

    [Theory]
    [InlineData("name", "", null)]
    [InlineData("name", "../x", null)]
    [InlineData("kind", "pod", null)]
    [InlineData("command", "agent", null)]
    [InlineData("command", "/a=b", null)]
    [InlineData("target", null, "main")]
    [InlineData("unit", "x", null)]
    [InlineData("unit", "-x.service", null)]
    [InlineData("idlePattern", "(?=x)", "main:0.0")]
    [InlineData("idlePattern", "(", "main:0.0")]
    [InlineData("idlePattern", "(a)\\1", "main:0.0")]
    [InlineData("busyPattern", "(", "main:0.0")]
    [InlineData("environment", "FLEET_MEMBER", null)]
    [InlineData("backoffMost", "00:00:01", null)]
    [InlineData("stuckAfterCycles", "3", null)]
    public void A_member_that_cannot_work_is_refused_with_the_key(string key, string? value, string? target)
    {
        var member = new MemberOptions { Name = "x", Command = ["/bin/true"], Kind = target is null ? MemberKind.Process : MemberKind.Tmux, Target = target };
        switch (key)
        {
            case "name": member.Name = value!; break;
            case "kind": member.Kind = value!; break;
            case "command": member.Command = [value!]; break;
            case "unit": (member.Kind, member.Unit, member.Command) = (MemberKind.Unit, value, []); break;
            case "idlePattern": (member.StuckAfterCycles, member.IdlePattern) = (3, value); break;
            case "busyPattern": (member.StuckAfterCycles, member.BusyPattern) = (3, value); break;
            case "environment": member.Environment[value!] = "1"; break;
            case "backoffMost": member.BackoffMost = TimeSpan.Parse(value!); break;
            case "stuckAfterCycles": member.StuckAfterCycles = int.Parse(value!); break;
        }

        Assert.Equal($"supervise.members[0].{key}", SuperviseProblems.In(new SuperviseOptions { Members = [member] }).First().Key);
    }

    [Theory]
    [InlineData("done\n>", true, true)]
    [InlineData("> typing", false, true)]
    [InlineData("Thinking (12s, esc to interrupt)\n>", true, false)]
    [InlineData("compiling", false, true)]
    public void What_a_pane_shows_says_whether_it_waits(string text, bool byIdle, bool byBusy)
    {
        Assert.Equal(byIdle, TmuxMember.Waits(new MemberOptions { IdlePattern = ">$" }, text));
        Assert.Equal(byBusy, TmuxMember.Waits(new MemberOptions { BusyPattern = "esc to interrupt" }, text));
        Assert.False(TmuxMember.Waits(new MemberOptions(), text));
    }

    [Fact]
    public void Good_members_of_every_kind_are_taken_and_a_name_is_taken_once()
    {
        var members = new List<MemberOptions>
        {
            new() { Name = "a", Command = ["/bin/true"] },
            new() { Name = "b", Kind = MemberKind.Tmux, Target = "main:0.0", Command = ["/bin/true"], StuckAfterCycles = 3, IdlePattern = ">$" },
            new() { Name = "c", Kind = MemberKind.Unit, Unit = "openclaw@iris.service" },
        };
        Assert.Empty(SuperviseProblems.In(new SuperviseOptions { Members = members }));

        members[2].Name = "a";

        Assert.Equal("supervise.members[2].name", Assert.Single(SuperviseProblems.In(new SuperviseOptions { Members = members })).Key);
    }
}
