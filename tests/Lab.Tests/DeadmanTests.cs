namespace FleetSidecar.Lab;

/// <summary>L21 under a real systemd, with the packaged units: what systemd gave up is started again, and somebody is told.</summary>
public sealed class DeadmanTests : IAsyncLifetime
{
    private const string Home = "/var/lib/fleet-sidecar-deadman", Config = "/etc/fleet-sidecar/sidecar.json", Pass = "systemctl start fleet-sidecar-deadman";

    private Machine _machine = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(Directory.Exists(Machine.Packages) && Directory.GetFiles(Machine.Packages, "fleet-sidecar_*.deb").Length > 0, "no package: run scripts/deb.sh first");
        _machine = await Machine.BootAsync();
        await _machine.ShellAsync("apt-get -q -y -o Dpkg::Use-Pty=0 install /deb/fleet-sidecar_*_$(dpkg --print-architecture).deb 2>&1");
        _machine.Write("/usr/local/bin/tell", $"#!/bin/sh\ncat >> {Home}/told\n", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await ConfigureAsync("/etc/fleet-sidecar", "iris", "fleet-sidecar");
        await _machine.UntilAsync("fleet-sidecar status", "the daemon to answer");
    }

    public ValueTask DisposeAsync() => _machine?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task L21_a_unit_that_systemd_gave_up_is_restarted_by_the_timer_and_a_stopped_one_is_left_alone()
    {
        Assert.Equal("active", await _machine.PropertyAsync("fleet-sidecar-deadman.timer", "ActiveState"));
        await _machine.ShellAsync($"systemctl stop fleet-sidecar && {Pass} && {Pass}");
        Assert.Equal("inactive", await _machine.PropertyAsync("fleet-sidecar.service", "ActiveState"));

        // A broken configuration: systemd does not restart 78, and the switch puts the last good one back.
        await _machine.ShellAsync($"systemctl start fleet-sidecar && {Pass} && test -s {Home}/last-good/sidecar.json");
        await _machine.ShellAsync($"sed -i 's/\"hub\":/\"hbu\":/' {Config}; systemctl restart fleet-sidecar || true");
        await _machine.UntilAsync("systemctl is-failed fleet-sidecar", "systemd to give it up");
        Assert.Contains("unknown key 'hbu'", (await _machine.TryAsync("fleet-sidecar", "status")).Text, StringComparison.Ordinal);
        await _machine.UntilAsync("systemctl is-active fleet-sidecar && fleet-sidecar status", "the switch to have brought it back", TimeSpan.FromMinutes(5));
        await _machine.UntilAsync($"ls {Config}.bad-* && grep -q deadman.dead {Home}/told && journalctl -u fleet-sidecar-deadman | grep -q DeadmanActed", "somebody to have been told");
        Assert.Contains("deadman   restored", await _machine.RunAsync("fleet-sidecar", "status"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task L21_crash_loops_instances_and_files_that_only_root_can_read_are_seen_too_and_a_full_disk_is_no_excuse()
    {
        await _machine.ShellAsync($"systemctl stop fleet-sidecar-deadman.timer; {Pass}"); // From here on the test's own clock.

        // Only root can read it: root's own look finds nothing wrong with it.
        await _machine.ShellAsync($"chmod 600 {Config}; chown root:root {Config}; systemctl restart fleet-sidecar || true");
        await _machine.UntilAsync("systemctl is-failed fleet-sidecar", "systemd to give it up");
        await ActAsync();
        await _machine.UntilAsync("fleet-sidecar status", "the daemon to be back");
        Assert.Equal("root:fleet-sidecar 640", (await _machine.RunAsync("stat", "-c", "%U:%G %a", Config)).Trim());

        // It is gone, and the token is there; the place of the switch's memory is spoilt.
        await _machine.ShellAsync($"{Pass}; rm -r {Home}/deadman.json; mkdir {Home}/deadman.json; rm {Config}; systemctl restart fleet-sidecar");
        await ActAsync();
        await ActAsync();
        await _machine.UntilAsync("fleet-sidecar status", "the daemon to be back");
        Assert.Contains("deadman   restored", await _machine.RunAsync("fleet-sidecar", "status"), StringComparison.Ordinal);
        await _machine.ShellAsync($"rmdir {Home}/deadman.json; rm -r /run/fleet-deadman/*; {Pass}");

        // Restart=always never ends in "failed".
        _machine.Write("/etc/systemd/system/fleet-sidecar.service.d/dies.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n");
        await _machine.ShellAsync("systemctl daemon-reload; systemctl restart --no-block fleet-sidecar");
        await _machine.UntilAsync("[ \"$(systemctl show -P NRestarts fleet-sidecar)\" -gt 1 ]", "systemd to try again");
        await ActAsync("4 minutes");
        await ActAsync("4 minutes");
        Assert.Contains("does not come up, however often systemd starts it", await _machine.RunAsync("journalctl", "--no-pager", "-u", "fleet-sidecar-deadman"), StringComparison.Ordinal);

        // Who stops it then means it.
        await _machine.ShellAsync("systemctl stop fleet-sidecar");
        await ActAsync("1 hour");
        await ActAsync("1 hour");
        Assert.Matches("inactive|failed", await _machine.PropertyAsync("fleet-sidecar.service", "ActiveState"));
        await _machine.ShellAsync("rm -r /etc/systemd/system/fleet-sidecar.service.d; systemctl daemon-reload; systemctl restart fleet-sidecar");

        // An instance, beside something that is none.
        await _machine.ShellAsync("mkdir -p '/etc/fleet-sidecar/instances/old copy' /etc/fleet-sidecar/instances/.kept");
        await ConfigureAsync("/etc/fleet-sidecar/instances/noor", "noor", "fleet-sidecar@noor");
        await _machine.UntilAsync("fleet-sidecar status --config /etc/fleet-sidecar/instances/noor/sidecar.json", "the instance to answer");
        await _machine.ShellAsync($"{Pass}; sed -i 's/\"hub\":/\"hbu\":/' /etc/fleet-sidecar/instances/noor/sidecar.json; systemctl restart fleet-sidecar@noor || true");
        await _machine.UntilAsync("systemctl is-failed fleet-sidecar@noor", "systemd to give it up");
        await ActAsync(of: "/instances/noor");
        await _machine.UntilAsync("fleet-sidecar status --config /etc/fleet-sidecar/instances/noor/sidecar.json | grep -q 'deadman   restored'", "the instance to be back, and to say why");
        Assert.Equal("active", await _machine.PropertyAsync("fleet-sidecar.service", "ActiveState"));

        // And it is there again after the package was away.
        await _machine.ShellAsync("apt-get -q -y -o Dpkg::Use-Pty=0 remove fleet-sidecar 2>&1 && apt-get -q -y -o Dpkg::Use-Pty=0 install /deb/fleet-sidecar_*_$(dpkg --print-architecture).deb 2>&1");
        await _machine.UntilAsync("fleet-sidecar status && fleet-sidecar status --config /etc/fleet-sidecar/instances/noor/sidecar.json", "both to run again");
    }

    private async Task ConfigureAsync(string directory, string agent, string unit)
    {
        _machine.Write($"{directory}/hub-token", "token-token\n");
        _machine.Write($"{directory}/sidecar.json", $$"""
            { "agent": { "id": "{{agent}}" }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "hub-token" },
              "stateDirectory": "/var/lib/fleet-sidecar{{(agent == "iris" ? "" : $"-instances/{agent}")}}",
              "wake": { "profiles": [ { "name": "main", "command": ["/bin/true"] } ] }, "alerts": { "hooks": [ { "command": ["/usr/local/bin/tell"] } ] } }
            """);
        await _machine.ShellAsync($"chmod 755 {directory}; chown root:fleet-sidecar {directory}/sidecar.json; chmod 640 {directory}/sidecar.json; systemctl enable -q {unit}; systemctl restart {unit}");
    }

    // One look, time passes, another look.
    private async Task ActAsync(string time = "1 minute", string of = "") => await _machine.ShellAsync($$"""
        {{Pass}}
        for f in {{Home}}{{of}}/deadman.json /run/fleet-deadman{{of}}/deadman.json; do
          [ -f $f ] || continue
          ms=$(( $(date -d '{{time}}' +%s) - $(date +%s) ))000
          perl -pi -e "s/(\"[a-z_]*_unix_ms\":)(\d+)/\$1.(\$2-$ms)/ge" $f
        done
        {{Pass}}
        """);
}
