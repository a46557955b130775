namespace FleetSidecar.Lab;

/// <summary>The life of an installation, from the first package to the last trace.</summary>
public sealed class LifeTests
{
    [Fact]
    public async Task L25_installed_enrolled_upgraded_and_rebooted_in_the_middle_of_tasks_and_removed_without_a_trace()
    {
        await using var fleet = new Fleet(await Machine.BootAsync(keepsDisk: true));
        var machine = fleet.Machine;
        var before = await TracesAsync(machine);

        // Installed and not set up: it is there, it is well, and it says what to do next.
        await fleet.InstallAsync();
        Assert.Equal("active", await machine.PropertyAsync("fleet-sidecar", "ActiveState"));
        Assert.Contains("fleet-sidecar setup", await machine.PropertyAsync("fleet-sidecar", "StatusText"));
        Assert.Equal("running", (await machine.RunAsync("systemctl", "is-system-running")).Trim());

        Assert.Contains("completed", await fleet.SetUpAsync());
        Assert.Equal("root:root 600\nroot:fleet-sidecar 640", (await machine.ShellAsync($"stat -c '%U:%G %a' {Fleet.Token} {Fleet.Config}")).Trim());
        fleet.AgentDoes(Fleet.Worker);
        fleet.Go();
        await fleet.WaitForAsync(await fleet.SubmitAsync(), "completed");
        await machine.ShellAsync($"rm {Fleet.Shared}/go {Fleet.Shared}/executions");

        // Upgraded while an agent works: another daemon, the same agent.
        var task = await fleet.SubmitAsync();
        var (agent, daemon) = (Fleet.PidOf(Assert.Single(await fleet.RunningAsync())), await machine.NumberAsync("fleet-sidecar", "MainPID"));
        await fleet.InstallAsync("/deb/next");
        Assert.Contains("0.1.1", await machine.RunAsync("fleet-sidecar", "--version"));
        Assert.NotEqual(daemon, await machine.NumberAsync("fleet-sidecar", "MainPID"));
        Assert.Equal(agent, Fleet.PidOf(Assert.Single(await fleet.RunningAsync())));
        fleet.Go();
        Assert.Contains($"done by {agent}", (await fleet.WaitForAsync(task, "completed")).ToString());
        Assert.Single(fleet.Executions);
        await machine.ShellAsync($"rm {Fleet.Shared}/go");
        Assert.Contains("fleet-sidecar", await machine.ShellAsync("cat /etc/needrestart/conf.d/fleet-sidecar.conf"));

        // Rebooted, and then a power cut, in the middle of a task: it comes again and is done once.
        foreach (var powerCut in new[] { false, true })
        {
            await machine.ShellAsync($"rm -f {Fleet.Shared}/go {Fleet.Shared}/executions");
            task = await fleet.SubmitAsync(retries: "3");
            await fleet.RunningAsync();
            await machine.RebootAsync(powerCut);
            await fleet.UpOrAtWorkAsync();
            fleet.Go();
            await fleet.WaitForAsync(task, "completed", TimeSpan.FromMinutes(4));
            Assert.InRange(fleet.Executions.Length, 1, 2);
        }

        // Removed: data and configuration stay. Purged: nothing does.
        await machine.ShellAsync("apt-get -qq -y remove fleet-sidecar fleet-hub 2>&1");
        Assert.Contains("state.db", await machine.ShellAsync("ls /var/lib/fleet-sidecar /etc/fleet-sidecar"));
        Assert.Equal("not-found", await machine.PropertyAsync("fleet-sidecar", "LoadState"));
        await machine.ShellAsync("apt-get -qq -y purge fleet-sidecar fleet-hub 2>&1");
        Assert.Equal(before, await TracesAsync(machine));
        Assert.Equal("running", (await machine.RunAsync("systemctl", "is-system-running")).Trim());
    }

    // Everything by our name except the journal, which is the machine's, and the users, whose numbers must not be given to others.
    private static async Task<string> TracesAsync(Machine machine) => await machine.ShellAsync(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /deb -o -path /srv -o -path /tmp -o -path /var/log/apt -o -path /var/log/journal -o -path /var/cache/apt \\) -prune -o -iname '*fleet*' -print | sort; systemctl list-units --all --plain --no-legend '*fleet*'");
}
