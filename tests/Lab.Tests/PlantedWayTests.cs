using System.Text.RegularExpressions;

namespace FleetSidecar.Lab;

/// <summary>Links, binds and descriptors: whatever an agent plants, keeps or passes on, it leads to nothing of the daemon's.</summary>
public sealed class PlantedWayTests : IAsyncLifetime
{
    private const string NoRepository = "\"priority\": \"normal\"", State = "/var/lib/fleet-sidecar";

    // What the daemon alone may read or write. The last is another run's.
    private static readonly string[] Daemons =
        [Fleet.Token, Fleet.Config, $"{State}/state.db", $"{State}/lock", "/var/log/fleet-sidecar", "/run/credentials/fleet-sidecar.service", "/run/fleet-sidecar/control.sock", $"{State}/runs/run_victim/wake-1/stdout"];

    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact, Trait("kind", "a way to the daemon's files that an agent plants")]
    public async Task Links_in_every_place_of_a_run_show_and_change_nothing_of_the_daemons()
    {
        await _fleet.Machine.ShellAsync($"cd {State}; mkdir -p runs/run_victim/wake-1; echo SECRET-OF-ANOTHER >runs/run_victim/wake-1/stdout; chown -R fleet-sidecar: runs; chmod -R go= runs/run_victim");
        var before = await OwnersAsync();
        foreach (var target in Daemons)
        {
            // First by itself, through each detour that it knows; then for the daemon to follow.
            _fleet.AgentDoes($$"""
                exec 2>/dev/null
                fleet-sidecar task start
                cd "$FLEET_RUN_DIR"
                for way in {{target}} "$PWD/../../../../..{{target}}" /proc/self/root{{target}} /proc/self/cwd/../../../../..{{target}} /proc/1/root{{target}}; do
                  ln -sfn "$way" way; { cat way || ls way/; } && echo "READ $way" >>{{Fleet.Shared}}/got
                  echo x >>way && echo "WROTE $way" >>{{Fleet.Shared}}/got
                  chmod 777 way && echo "OPENED $way" >>{{Fleet.Shared}}/got
                  ln "$way" hard && echo "HELD $way" >>{{Fleet.Shared}}/got; rm -f hard
                done
                for place in wake-2 task.json results notes; do rm -rf $place; ln -sfn {{target}} $place; done
                for place in stdout stderr end end.room recorder alive; do rm -rf wake-1/$place; ln -sfn {{target}} wake-1/$place; done
                if cd "$FLEET_WORKSPACE" && [ -d .git ]; then
                  ln -sfn {{target}} README; ln -sfn {{target}} link; mkdir -p sub; ln -sfn {{target}} sub/deep
                  echo {{target}} >.git/objects/info/alternates; ln -sfn {{target}} .git/info/attributes; ln -sfn {{target}} .git/index.lock
                  for part in config packed-refs description; do rm -rf .git/$part; ln -sfn {{target}} .git/$part; done
                  ln -sfn {{target}} ../fleet-workspace.json
                fi
                echo tried >>{{Fleet.Shared}}/tried
                exit 3
                """);
            foreach (var repository in new[] { NoRepository, "\"repo\": \"git://127.0.0.1/app.git\"" })
            {
                var task = await _fleet.WaitForAsync(await _fleet.SubmitAsync(repository), "dead_letter");
                Assert.DoesNotMatch(await SecretsAsync(), task.ToString());
                Assert.DoesNotMatch(await SecretsAsync(), await _fleet.Machine.ShellAsync($"runuser -u fleet-sidecar -- timeout 10 fleet-sidecar logs {task.GetProperty("id").GetString()} 2>&1 || :"));
            }
        }

        await Wait.UntilAsync(() => _fleet.StatusAsync().GetAwaiter().GetResult().GetProperty("runs").GetArrayLength() == 0, "all runs to be settled");
        Assert.Equal(Daemons.Length * 2, _fleet.Machine.Read($"{Fleet.Shared}/tried").Count(letter => letter == '\n'));
        Assert.Equal("", await _fleet.Machine.ShellAsync($"cat {Fleet.Shared}/got 2>/dev/null || :"));
        Assert.Equal(before, await OwnersAsync());
        var saved = await _fleet.Machine.ShellAsync("cd /srv/git/app.git && for ref in $(runuser -u nobody -- git for-each-ref --format='%(refname)'); do runuser -u nobody -- git grep -a '' $ref || :; done");
        Assert.Contains("hello", saved);
        Assert.DoesNotMatch(await SecretsAsync(), saved);
        _fleet.AgentDoes("echo new >new; git add new; git commit -qm New; fleet-sidecar task complete --output well");
        await _fleet.WaitForAsync(await _fleet.SubmitAsync(), "completed");
    }

    [Fact, Trait("kind", "a way to the daemon's files that an agent is given")]
    public async Task An_agent_is_born_with_its_own_binds_and_descriptors_and_no_others()
    {
        _fleet.AgentDoes($$"""
            cat /proc/self/mountinfo >{{Fleet.Shared}}/mounts
            ls -l /proc/self/fd | sed -n 's/.* \([0-9]*\) -> /\1 /p' >{{Fleet.Shared}}/descriptors
            echo "$FLEET_RUN_ID" >{{Fleet.Shared}}/run
            echo new >new; git add new; git commit -qm New
            fleet-sidecar task complete --output looked
            """);
        await _fleet.WaitForAsync(await _fleet.SubmitAsync(), "completed");

        var run = _fleet.Machine.Read($"{Fleet.Shared}/run").Trim();
        var binds = _fleet.Machine.Read($"{Fleet.Shared}/mounts").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
            .Where(mount => mount[4].StartsWith("/var/lib/fleet", StringComparison.Ordinal) && !mount[mount.AsSpan().IndexOf("-") + 1].Equals("tmpfs", StringComparison.Ordinal)).ToList();
        string[] own = ["/var/lib/fleet-agents/1", "/var/lib/fleet-agents/common", $"{State}/mirrors", $"{State}/orders/{run}", $"{State}/runs/{run}", $"{State}/workspaces/{run}"];
        Assert.Equal(own, binds.Select(mount => mount[4]).Distinct().Order(StringComparer.Ordinal));
        Assert.All(binds, mount => Assert.EndsWith(mount[4], mount[3], StringComparison.Ordinal)); // Each is the directory of that name, not what a link in its place led to.

        // Of ls: no input, the pipe behind it, the run's own record, and the directory that it lists.
        var descriptors = _fleet.Machine.Read($"{Fleet.Shared}/descriptors").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, descriptors.Length);
        Assert.Equal(("0 /dev/null", $"2 {State}/runs/{run}/wake-1/stderr"), (descriptors[0], descriptors[2]));
        Assert.StartsWith("1 pipe:", descriptors[1], StringComparison.Ordinal);
        Assert.Matches("^3 /proc/[0-9]+/fd$", descriptors[3]);
    }

    [Fact, Trait("kind", "a descriptor that an agent passes on")]
    public async Task Descriptors_that_an_agent_sends_to_the_daemon_stay_with_nobody()
    {
        _fleet.AgentDoes($$"""
            fleet-sidecar task start
            perl -MSocket -e '
              my $number = `uname -m` =~ /aarch64/ ? 211 : 46;
              my $sent = 0;
              open(my $own, "<", "/etc/debian_version") or die;
              for (1 .. 20) {
                socket(my $s, AF_UNIX, SOCK_STREAM, 0) or next; connect($s, pack_sockaddr_un($ENV{FLEET_SOCKET})) or next;
                for (1 .. 50) {
                  my $data = " "; my $part = pack("PQ", $data, 1);
                  my $given = pack("Q i i i x4", 20, 1, 1, fileno($own));
                  my $message = pack("Q L x4 P Q P Q i x4", 0, 0, $part, 1, $given, length $given, 0);
                  $sent++ if syscall($number, fileno($s), $message, 0) == 1;
                }
                shutdown($s, 1); my $answer = <$s>;
              }
              print "$sent\n"' >{{Fleet.Shared}}/sent 2>&1
            touch {{Fleet.Shared}}/over
            while [ ! -e {{Fleet.Shared}}/go ]; do sleep 0.1; done
            fleet-sidecar task complete --output sent
            """);
        var task = await _fleet.SubmitAsync(NoRepository);
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/over ]", "the descriptors to be sent");

        Assert.InRange(int.Parse(_fleet.Machine.Read($"{Fleet.Shared}/sent"), System.Globalization.CultureInfo.InvariantCulture), 100, 1000);
        Assert.DoesNotContain("debian_version", await _fleet.Machine.ShellAsync("ls -l /proc/$(systemctl show -P MainPID fleet-sidecar)/fd"));
        _fleet.Go();
        await _fleet.WaitForAsync(task, "completed");
    }

    // The token, and what the store and the configuration say and nobody else.
    private async Task<string> SecretsAsync() =>
        $"{Regex.Escape((await _fleet.Machine.ShellAsync($"cat {Fleet.Token}")).Trim())}|SQLite format 3|SECRET-OF-ANOTHER|\"tokenFile\"";

    private Task<string> OwnersAsync() => _fleet.Machine.ShellAsync($"stat -c '%n %U %G %a %F' {string.Join(' ', Daemons)}; sha256sum {Fleet.Token} {Fleet.Config} {State}/runs/run_victim/wake-1/stdout");
}
