using FleetSidecar.Configuration;
using FleetSidecar.Deadman;

namespace FleetSidecar.Tests;

/// <summary>L21: whatever the dead man's switch detects has an action. Every row, and how restarts are bounded.</summary>
public sealed class DeadmanRulesTests
{
    private const long Now = 1_000_000_000_000, Minute = 60_000;

    [Fact]
    public void L21_a_daemon_that_systemd_starts_again_and_again_is_not_taken_for_one_that_starts()
    {
        var facts = new DeadmanFacts { ActiveState = "activating", Result = "exit-code", Answers = false };
        var state = new DeadmanState();
        var actions = new List<string>();
        for (var pass = 0; pass < 8; pass++)
        {
            var step = DeadmanRules.Decide(facts, state, Now + (pass * Minute));
            (state, actions) = (step.State, [.. actions, $"{step.Action}"]);
        }

        Assert.Equal(["Nothing", "Nothing", "Nothing", "Nothing"], actions[..4]);
        Assert.Contains("Restart", actions);
        Assert.Contains("looping", state.Condition, StringComparison.Ordinal);
        Assert.Equal("Recovered", $"{DeadmanRules.Decide(new DeadmanFacts(), state, Now + (9 * Minute)).Action}");
    }

    [Theory]
    [InlineData("fine", "Nothing")]
    [InlineData("no unit", "Nothing")]
    [InlineData("not enrolled", "Nothing")]
    [InlineData("stopped", "Nothing")]
    [InlineData("failed but disabled", "Nothing")]
    [InlineData("failed but masked", "Nothing")]
    [InlineData("starting", "Nothing")]
    [InlineData("failed", "Restart")]
    [InlineData("failed to inactive", "Restart")]
    [InlineData("silent", "Restart")]
    [InlineData("stale", "Restart")]
    [InlineData("young", "Nothing")]
    [InlineData("no sign yet", "Nothing")]
    [InlineData("failed, bad configuration, good one kept", "Restore")]
    [InlineData("silent, bad configuration, good one kept", "Restore")]
    [InlineData("failed, bad configuration, none kept", "Report")]
    [InlineData("failed while paused", "Report")]
    [InlineData("stale while draining", "Report")]
    [InlineData("silent while paused", "Report")]
    [InlineData("fine, bad configuration", "Nothing")]
    [InlineData("stopped in the middle of crashes", "Nothing")]
    [InlineData("always started again, ended with 78", "Restart")]
    [InlineData("always started again, at the limit of starts", "Restart")]
    public void Every_state_of_the_daemon_has_its_action(string name, string action)
    {
        var facts = name switch
        {
            "fine" => new DeadmanFacts(),
            "no unit" => new DeadmanFacts { UnitLoaded = false, ActiveState = "inactive" },
            "not enrolled" => new DeadmanFacts { Enrolled = false, Answers = false },
            "stopped" => new DeadmanFacts { ActiveState = "inactive" },
            "failed but disabled" => Failed with { UnitFileState = "disabled" },
            "failed but masked" => Failed with { UnitFileState = "masked" },
            "starting" => new DeadmanFacts { ActiveState = "activating", Answers = false },
            "failed" => Failed,
            "failed to inactive" => Failed with { ActiveState = "inactive" },
            "silent" => Silent,
            "stale" => Stale,
            "young" => Stale with { AliveAge = TimeSpan.FromMinutes(3) },
            "no sign yet" => new DeadmanFacts { AliveAge = null },
            "failed, bad configuration, good one kept" => Failed with { ConfigProblem = "x", HasLastGood = true },
            "silent, bad configuration, good one kept" => Silent with { ConfigProblem = "x", HasLastGood = true },
            "failed, bad configuration, none kept" => Failed with { ConfigProblem = "x" },
            "failed while paused" => Failed with { Intake = "paused" },
            "stale while draining" => Stale with { Intake = "draining" },
            "silent while paused" => Silent with { Intake = "paused" },
            "stopped in the middle of crashes" => Failed with { Result = "signal", RestartsAlways = true },
            "always started again, ended with 78" => Failed with { RestartsAlways = true, ExitStatus = "78" },
            "always started again, at the limit of starts" => Failed with { Result = "start-limit-hit", RestartsAlways = true },
            "fine, bad configuration" => new DeadmanFacts { ConfigProblem = "x", HasLastGood = true },
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
        };
        var first = DeadmanRules.Decide(facts, new DeadmanState(), Now);

        var second = DeadmanRules.Decide(facts, first.State, Now + Minute);

        Assert.Equal(action, (first.Action == DeadmanAction.Nothing ? second : first).Action.ToString());
        Assert.Equal(action is "Nothing", second.Detail.Length == 0);
    }

    [Fact]
    public void One_silent_pass_is_none()
    {
        var first = DeadmanRules.Decide(Silent, new DeadmanState(), Now);
        var second = DeadmanRules.Decide(new DeadmanFacts(), first.State, Now + Minute);
        var third = DeadmanRules.Decide(Silent, second.State, Now + (2 * Minute));

        Assert.Equal(DeadmanAction.Nothing, DeadmanRules.Decide(Silent with { Intake = "paused" }, new DeadmanState(), Now).Action); // Nor is it reported.
        Assert.All(new[] { first, second, third }, step => Assert.Equal(DeadmanAction.Nothing, step.Action));
    }

    [Fact]
    public void Three_restarts_after_1_5_and_15_minutes_then_a_report_every_hour_and_never_a_fourth()
    {
        var acts = Play(Failed, minutes: 180);

        Assert.Equal(["1 Restart", "6 Restart", "21 Restart", "22 Report", "82 Report", "142 Report"], acts);
    }

    [Fact]
    public void A_daemon_that_is_well_again_is_told_once_and_the_count_begins_anew_after_half_an_hour()
    {
        var state = new DeadmanState { Condition = DeadmanCondition.Dead, SinceUnixMs = Now, Restarts = 3, LastAction = "restarted", LastActionAtUnixMs = Now, LastReportAtUnixMs = Now };

        var well = DeadmanRules.Decide(new DeadmanFacts(), state, Now + Minute);
        var soon = DeadmanRules.Decide(new DeadmanFacts(), well.State, Now + (10 * Minute));
        var later = DeadmanRules.Decide(new DeadmanFacts(), soon.State, Now + (31 * Minute));

        Assert.Equal((DeadmanAction.Recovered, DeadmanAction.Nothing, DeadmanAction.Nothing), (well.Action, soon.Action, later.Action));
        Assert.Equal((3, 3, 0), (well.State.Restarts, soon.State.Restarts, later.State.Restarts));
        Assert.Equal("restarted", later.State.LastAction);
    }

    [Fact]
    public void A_clock_that_was_set_back_delays_nothing_for_long()
    {
        var state = new DeadmanState { Condition = DeadmanCondition.Dead, SinceUnixMs = Now + (99 * Minute), LastActionAtUnixMs = Now + (99 * Minute), Restarts = 1 };

        var first = DeadmanRules.Decide(Failed, state, Now);
        var second = DeadmanRules.Decide(Failed, first.State, Now + (5 * Minute));

        Assert.Equal(DeadmanAction.Restart, second.Action);
    }

    [Fact]
    public void A_daemon_that_comes_and_goes_when_nothing_is_tried_any_more_is_reported_once_an_hour()
    {
        var (state, told) = (new DeadmanState { Restarts = 3 }, new List<string>());
        for (var minute = 0; minute < 120; minute++)
        {
            var step = DeadmanRules.Decide(minute % 4 < 2 ? Silent : new DeadmanFacts(), state, Now + (minute * Minute));
            state = step.State;
            told.AddRange(step.Action == DeadmanAction.Nothing ? [] : [$"{minute} {step.Action}"]);
        }

        Assert.Equal(["1 Report", "2 Recovered", "61 Report", "62 Recovered"], told);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("FLEET_AGENT_UNITS=fleet-agent@ DOTNET_EnableDiagnostics=0", "")]
    [InlineData("A=b FLEET_SIDECAR__Control__Socket=/run/other.sock", "Control.Socket=/run/other.sock")]
    [InlineData("\"FLEET_SIDECAR__agent__name=Iris the \\\"first\\\"\" FLEET_SIDECAR__stateDirectory=/srv/a=b", "agent.name=Iris the \"first\"|stateDirectory=/srv/a=b")]
    public void What_the_unit_sets_beside_the_files_counts(string environment, string settings) => Assert.Equal(settings, string.Join('|', UnitSettings.In(environment)));

    [Theory]
    [InlineData("/etc/fleet-sidecar/instances/a b/sidecar.json")]
    [InlineData("/etc/fleet-sidecar/instances/%n/sidecar.json")]
    [InlineData("/etc/fleet-sidecar/instances/../sidecar.json")]
    [InlineData("/etc/fleet-sidecar/instances/x/other.json")]
    [InlineData("/root/notes.txt")]
    public void Not_every_file_belongs_to_a_unit(string file) => Assert.Null(PackagePaths.UnitOf(file));

    [Theory]
    [InlineData("/etc/fleet-sidecar/sidecar.json", "/srv/elsewhere", "/var/lib/fleet-sidecar-deadman", "/run/fleet-deadman")]
    [InlineData("/etc/fleet-sidecar/instances/iris/sidecar.json", "/srv/elsewhere", "/var/lib/fleet-sidecar-deadman/instances/iris", "/run/fleet-deadman/instances/iris")]
    [InlineData("/home/me/iris.json", "/srv/state/", "/srv/state-deadman", null)]
    public void What_it_keeps_lies_outside_the_daemons_own_directory_and_for_the_package_not_where_the_configuration_says(string file, string state, string directory, string? runtime) =>
        Assert.Equal((directory, runtime), (PackagePaths.DeadmanOf(file, state), PackagePaths.DeadmanRuntimeOf(file)));

    [Fact]
    public void A_sign_of_life_from_the_future_that_stays_there_is_none()
    {
        var facts = new DeadmanFacts { AliveAge = TimeSpan.FromMinutes(-40) };

        var first = DeadmanRules.Decide(facts, new DeadmanState(), Now);
        var second = DeadmanRules.Decide(facts, first.State, Now + Minute);

        Assert.Equal((DeadmanAction.Nothing, DeadmanAction.Restart), (first.Action, second.Action));
        Assert.Contains("40 min in the future", second.Detail, StringComparison.Ordinal);
    }

    private static DeadmanFacts Failed => new() { ActiveState = "failed", Result = "exit-code" };

    private static DeadmanFacts Silent => new() { Answers = false };

    private static DeadmanFacts Stale => new() { AliveAge = TimeSpan.FromMinutes(4) };

    private static List<string> Play(DeadmanFacts facts, int minutes)
    {
        var (state, acts) = (new DeadmanState(), new List<string>());
        for (var minute = 0; minute <= minutes; minute++)
        {
            var step = DeadmanRules.Decide(facts, state, Now + (minute * Minute));
            state = step.State;
            if (step.Action != DeadmanAction.Nothing)
            {
                acts.Add($"{minute} {step.Action}");
            }
        }

        return acts;
    }
}
