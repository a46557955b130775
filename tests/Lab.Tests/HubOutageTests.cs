namespace FleetSidecar.Lab;

/// <summary>A hub that is gone for minutes. Slow and idle, so it has a class of its own.</summary>
public sealed class HubOutageTests
{
    [Fact]
    public async Task L24_a_hub_that_is_down_for_five_minutes_restarts_nothing_and_fails_no_unit()
    {
        await using var fleet = await Fleet.StartAsync();
        fleet.AgentDoes(Fleet.Worker);
        var task = await fleet.SubmitAsync();
        var agent = Fleet.PidOf(Assert.Single(await fleet.RunningAsync()));
        var daemon = await fleet.Machine.NumberAsync("fleet-sidecar", "MainPID");

        await fleet.Machine.RunAsync("systemctl", "stop", "fleet-hub");
        fleet.Go();
        await Task.Delay(TimeSpan.FromMinutes(5), TimeProvider.System, TestContext.Current.CancellationToken);

        Assert.Equal(daemon, await fleet.Machine.NumberAsync("fleet-sidecar", "MainPID"));
        Assert.Equal("0", await fleet.Machine.PropertyAsync("fleet-sidecar", "NRestarts"));
        Assert.Equal("running", (await fleet.Machine.RunAsync("systemctl", "is-system-running")).Trim());

        await fleet.Machine.RunAsync("systemctl", "start", "fleet-hub");
        Assert.Contains($"done by {agent}", (await fleet.WaitForAsync(task, "completed", TimeSpan.FromMinutes(3))).ToString());
        Assert.Single(fleet.Executions);
    }
}
