namespace FleetSidecar.Lab;

/// <summary>L21 under a real systemd, with the packaged units: what systemd gave up is started again, and somebody is told.</summary>
public sealed class DeadmanTests
{
    [Fact]
    public async Task L21_a_unit_that_systemd_gave_up_is_restarted_by_the_timer_and_a_stopped_one_is_left_alone()
    {
        Assert.SkipUnless(Directory.Exists(Machine.Packages) && Directory.GetFiles(Machine.Packages, "fleet-sidecar_*.deb").Length > 0, "no package: run scripts/deb.sh first");
        await using var machine = await Machine.BootAsync();
        await machine.ShellAsync("apt-get install -y --no-download /deb/fleet-sidecar_*.deb || dpkg -i /deb/fleet-sidecar_*.deb");
        machine.Write("/usr/local/bin/tell", "#!/bin/sh\ncat >> /var/lib/fleet-sidecar-deadman/told\n", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        machine.Write("/etc/fleet-sidecar/hub-token", "token-token\n");
        machine.Write("/etc/fleet-sidecar/sidecar.json", """
            { "agent": { "id": "iris" }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "hub-token" },
              "wake": { "profiles": [ { "name": "main", "command": ["/bin/true"] } ] }, "alerts": { "hooks": [ { "command": ["/usr/local/bin/tell"] } ] } }
            """);
        await machine.ShellAsync("chown root:fleet-sidecar /etc/fleet-sidecar/sidecar.json && chmod 0640 /etc/fleet-sidecar/sidecar.json && systemctl restart fleet-sidecar");
        await machine.UntilAsync("fleet-sidecar status", "the daemon to answer");
        Assert.Equal("active", await machine.PropertyAsync("fleet-sidecar-deadman.timer", "ActiveState"));

        await machine.ShellAsync("systemctl stop fleet-sidecar && systemctl start fleet-sidecar-deadman && systemctl start fleet-sidecar-deadman");
        Assert.Equal("inactive", await machine.PropertyAsync("fleet-sidecar.service", "ActiveState"));

        // A broken configuration: systemd does not restart 78, and the switch puts the last good one back.
        await machine.ShellAsync("systemctl start fleet-sidecar && systemctl start fleet-sidecar-deadman && test -s /var/lib/fleet-sidecar-deadman/last-good/sidecar.json");
        await machine.ShellAsync("sed -i 's/\"hub\":/\"hbu\":/' /etc/fleet-sidecar/sidecar.json; systemctl restart fleet-sidecar || true");
        await machine.UntilAsync("systemctl is-failed fleet-sidecar", "systemd to give it up");
        await machine.UntilAsync("systemctl is-active fleet-sidecar && fleet-sidecar status", "the switch to have brought it back", TimeSpan.FromMinutes(5));
        await machine.ShellAsync("ls /etc/fleet-sidecar/sidecar.json.bad-* && grep -q deadman.dead /var/lib/fleet-sidecar-deadman/told && journalctl -u fleet-sidecar-deadman | grep -q DeadmanActed");
        Assert.Contains("deadman   restored", await machine.RunAsync("fleet-sidecar", "status"), StringComparison.Ordinal);
    }
}
