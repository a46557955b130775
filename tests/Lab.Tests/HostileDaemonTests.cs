namespace FleetSidecar.Lab;

/// <summary>What somebody who has become the daemon's user plants for root: nothing of it is given to them, run or bound.</summary>
public sealed class HostileDaemonTests : IAsyncLifetime
{
    private const string Noor = "/etc/fleet-sidecar/instances/noor", AsDaemon = "runuser -u fleet-sidecar -- ";

    private Fleet _fleet = null!;

    private Machine Machine => _fleet.Machine;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact, Trait("kind", "root manages a directory below one that the daemon owns")]
    public async Task Links_in_the_place_of_an_instances_directories_give_the_daemons_user_nothing_of_roots()
    {
        // Wherever the daemon's user may write, and wherever it may not: what fails to be planted is as good as refused.
        await Machine.ShellAsync($"""
            mkdir -p {Noor} && chmod 700 {Noor}
            for top in /var/lib/fleet-sidecar/instances /var/lib/fleet-sidecar-instances /var/log/fleet-sidecar-instances /var/log/fleet-sidecar /run/fleet-sidecar; do
              {AsDaemon}mkdir -p $top && {AsDaemon}ln -sfn {Noor} $top/noor
            done 2>/dev/null
            for link in /var/lib/fleet-sidecar-noor /var/log/fleet-sidecar-noor /run/fleet-sidecar-noor; do {AsDaemon}ln -s {Noor} $link; done 2>/dev/null
            [ -L /var/lib/fleet-sidecar/instances/noor ] && [ -L /var/log/fleet-sidecar/noor ] || exit 1
            """);

        await _fleet.EnrolAsync(agent: "noor", directory: Noor, unit: "fleet-sidecar@noor");

        Assert.Equal("root root\nroot fleet-sidecar", await Machine.ShellAsync($"stat -c '%U %G' {Noor} {Noor}/sidecar.json"));
        foreach (var parent in new[] { "/var/lib/fleet-sidecar-instances", "/var/log/fleet-sidecar-instances" })
        {
            Assert.Equal("root 755\nfleet-sidecar", await Machine.ShellAsync($"stat -c '%U %a' {parent}; stat -c %U {parent}/noor"));
        }
    }

    [Fact, Trait("kind", "root goes by what another user may have written")]
    public async Task The_switch_runs_no_hook_of_a_configuration_that_another_user_may_write()
    {
        const string Pass = "systemctl start fleet-sidecar-deadman.service", Hook = """{ "alerts": { "hooks": [ { "command": ["/bin/sh", "-c", "id -u >/etc/fleet-sidecar/ran"] } ] } }""";
        await Machine.ShellAsync($"systemctl disable -q --now fleet-sidecar-deadman.timer; {Pass}; mkdir -p /etc/fleet-sidecar/conf.d");

        // A directory of theirs: nothing is done by what is in it.
        Machine.Write("/etc/fleet-sidecar/conf.d/hook.json", Hook, (UnixFileMode)0x1a4);
        await Machine.ShellAsync("chown fleet-sidecar /etc/fleet-sidecar/conf.d; systemctl mask -q --runtime fleet-sidecar; systemctl kill -s KILL fleet-sidecar; systemctl reset-failed fleet-sidecar || true");
        await LookTwiceAsync();
        Assert.Contains("conf.d belongs to fleet-sidecar", await Machine.ShellAsync("journalctl --no-pager -o cat -u fleet-sidecar-deadman"), StringComparison.Ordinal);

        // A file of theirs in a directory of root's: a wrong configuration, in whose place the last good one is put.
        await Machine.ShellAsync("chown root /etc/fleet-sidecar/conf.d; chown fleet-sidecar /etc/fleet-sidecar/conf.d/hook.json");
        await LookTwiceAsync();
        Assert.NotEqual(0, (await Machine.TryAsync("test", "-e", "/etc/fleet-sidecar/ran")).ExitCode);

        async Task LookTwiceAsync()
        {
            for (var pass = 0; pass < 2; pass++)
            {
                await Machine.ShellAsync($$"""
                    for f in /var/lib/fleet-sidecar-deadman/deadman.json /run/fleet-deadman/deadman.json; do
                      [ -f $f ] && perl -pi -e 's/("[a-z_]*_unix_ms":)(\d+)/$1.($2-3600000)/ge' $f
                    done
                    {{Pass}} || true
                    """);
            }
        }
    }

    [Fact, Trait("kind", "a bind follows a link")]
    public async Task A_run_whose_directory_is_a_detour_is_refused_before_anything_is_bound()
    {
        foreach (var planted in new[] { "runs", "workspaces", "orders" })
        {
            var run = $"run_{planted}";
            await Machine.ShellAsync($$"""
                mkdir -p /root/victim/work; touch /root/victim/file
                cd /var/lib/fleet-sidecar
                for kind in runs workspaces orders; do
                  {{AsDaemon}}mkdir -p $kind; [ $kind = {{planted}} ] || {{AsDaemon}}mkdir -p $kind/{{run}}
                done
                {{AsDaemon}}ln -s /root/victim {{planted}}/{{run}}
                order() { printf 'fleet-order 1\n/var/lib/fleet-sidecar/runs/{{run}}\n/var/lib/fleet-sidecar/workspaces/{{run}}\n/dev/null\na/bin/sh\na-c\natouch /var/lib/fleet-agent/ran\n.\n'; }
                if [ {{planted}} = orders ]; then order >/root/victim/order; else order | {{AsDaemon}}tee orders/{{run}}/order >/dev/null; fi
                """);

            Assert.NotEqual(0, (await Machine.TryAsync("systemctl", "start", "--wait", $"fleet-agent@{run}.service")).ExitCode);

            Assert.Contains($"refused: /var/lib/fleet-sidecar/{planted}/{run} is a link", await Machine.ShellAsync($"journalctl --no-pager -o cat -u fleet-agent@{run}"), StringComparison.Ordinal);
            Assert.Equal("root\nroot\nroot", await Machine.ShellAsync("stat -c %U /root/victim /root/victim/work /root/victim/file"));
            Assert.NotEqual(0, (await Machine.TryAsync("test", "-e", "/var/lib/fleet-agent/ran")).ExitCode);
        }

        // One that is swapped in later is taken back from outside of the unit as well.
        await Machine.ShellAsync($$"""
            cd /var/lib/fleet-sidecar; for kind in runs workspaces orders; do {{AsDaemon}}mkdir -p $kind/run_later; done
            printf 'fleet-order 1\n/var/lib/fleet-sidecar/runs/run_later\n/var/lib/fleet-sidecar/workspaces/run_later\n/dev/null\na/bin/sh\na-c\natouch /var/lib/fleet-agent/later; while [ ! -e /var/lib/fleet-agent/end ]; do sleep 0.1; done\n.\n' | {{AsDaemon}}tee orders/run_later/order >/dev/null
            systemctl start fleet-agent@run_later.service
            """);
        await Machine.UntilAsync("[ -e /var/lib/fleet-agent/later ]", "the agent to be at work");
        await Machine.ShellAsync($"cd /var/lib/fleet-sidecar; {AsDaemon}mv runs/run_later runs/old; {AsDaemon}ln -s /root/victim runs/run_later; touch /var/lib/fleet-agent/end");
        await Machine.UntilAsync("! systemctl is-active -q fleet-agent@run_later.service", "the unit to be over");
        Assert.Equal("root\nroot\nroot", await Machine.ShellAsync("stat -c %U /root/victim /root/victim/work /root/victim/file"));
    }
}
