namespace FleetSidecar.Lab;

/// <summary>The lab itself: a test of something else must not fail because of it.</summary>
public sealed class MachineTests
{
    [Fact]
    public async Task A_machine_boots_a_real_systemd_and_forgets_what_was_written_unless_told_to_keep_it()
    {
        await using var machine = await Machine.BootAsync(keepsDisk: true);
        Assert.Equal("systemd", (await machine.RunAsync("cat", "/proc/1/comm")).Trim());
        machine.Write("/var/lib/kept", "here");

        await machine.RebootAsync();
        Assert.Equal("here", await machine.RunAsync("cat", "/var/lib/kept"));

        await machine.RebootAsync(powerCut: true);
        Assert.Equal("running", (await machine.RunAsync("systemctl", "is-system-running")).Trim());
    }
}
