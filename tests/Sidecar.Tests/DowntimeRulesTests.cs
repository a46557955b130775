using FleetSidecar.Agents;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>A deadline counts the time in which somebody could do something.</summary>
public sealed class DowntimeRulesTests
{
    private const long Begun = 1_000_000, Minute = 60_000;

    private static readonly DeadlineOptions Limits = new() { WallClock = TimeSpan.FromMinutes(30) };

    [Theory]
    [InlineData(nameof(RunState.Preparing), 2, 60, 58)]
    [InlineData(nameof(RunState.Waking), 2, 60, 58)]
    [InlineData(nameof(RunState.Verifying), 0, 60, 60)]
    [InlineData(nameof(RunState.Submitting), 59, 60, 1)]
    [InlineData(nameof(RunState.Confirming), 0, 60, 60)]
    [InlineData(nameof(RunState.Working), 2, 60, 0)]
    [InlineData(nameof(RunState.Completed), 2, 60, 0)]
    [InlineData(nameof(RunState.Preparing), -5, 60, 60)]
    [InlineData(nameof(RunState.Preparing), 90, 60, 0)]
    public void What_the_sidecar_does_itself_goes_on_with_it_alone(string state, long lastSeenMinute, long nowMinute, long movedMinutes) =>
        Assert.Equal(Begun + (movedMinutes * Minute), DowntimeRules.Since(In(Enum.Parse<RunState>(state)), ProcessFact.Alive, Begun + (lastSeenMinute * Minute), Begun + (nowMinute * Minute), Limits));

    [Fact]
    public void An_agent_that_must_stay_alive_has_the_time_to() =>
        Assert.Equal(Begun + (60 * Minute) - 20_000, DowntimeRules.Since(In(RunState.Confirming), ProcessFact.Alive, Begun + (60 * Minute), Begun + (60 * Minute), new DeadlineOptions { Confirm = TimeSpan.FromSeconds(30) }));

    [Fact]
    public void Without_a_sign_of_life_all_of_it_counts() =>
        Assert.Equal(Begun, DowntimeRules.Since(In(RunState.Preparing), ProcessFact.None, null, Begun + (60 * Minute), Limits));

    [Theory]
    [InlineData(nameof(ProcessFact.Ended), 29, 0)]
    [InlineData(nameof(ProcessFact.Ended), 35, 6)]
    [InlineData(nameof(ProcessFact.Vanished), 600, 571)]
    [InlineData(nameof(ProcessFact.Alive), 600, 0)]
    public void An_agent_that_ended_meanwhile_is_judged_before_its_deadline_is(string process, long nowMinute, long movedMinutes) =>
        Assert.Equal(Begun + (movedMinutes * Minute), DowntimeRules.Since(In(RunState.Working), Enum.Parse<ProcessFact>(process), Begun, Begun + (nowMinute * Minute), Limits));

    [Fact]
    public void A_clock_that_was_set_back_moves_nothing() => Assert.Equal(Begun, DowntimeRules.Since(In(RunState.Preparing), ProcessFact.None, Begun, Begun - Minute, Limits));

    private static Run In(RunState state) => new()
    {
        Id = "run_1", TaskId = "task-1", Generation = 1, State = state, Nonce = "n", Profile = new WakeProfile { Name = "main" },
        Assignment = new HubMessage.TaskAssign { TaskId = "task-1" }, CreatedAtUnixMs = Begun, StateSinceUnixMs = Begun,
    };
}
