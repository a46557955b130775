namespace FleetSidecar.Lab;

/// <summary>What an agent does to its own directories and sockets costs itself at most: not the daemon, not the machine, not another run.</summary>
public sealed class HostileAgentTests : IAsyncLifetime
{
    private const string NoRepository = "\"priority\": \"normal\"";

    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task A_report_counts_whatever_rights_its_file_has_and_also_where_it_was_left_while_no_daemon_ran()
    {
        _fleet.AgentDoes("""
            umask 077
            fleet-sidecar task start
            echo '{"status":"success","output":"by hand"}' >"$FLEET_RESULTS_DIR/$FLEET_TASK_ID.json"
            """);
        Assert.Contains("by hand", (await DoneAsync("completed")).ToString());

        _fleet.AgentDoes($"""
            umask 077
            fleet-sidecar task start
            while [ ! -e {Fleet.Shared}/go ]; do sleep 0.1; done
            fleet-sidecar task complete --output "left in a file"
            touch {Fleet.Shared}/left
            while [ ! -e {Fleet.Shared}/back ]; do sleep 0.1; done
            """);
        var task = await _fleet.SubmitAsync(NoRepository);
        await _fleet.RunningAsync();
        await _fleet.Machine.RunAsync("systemctl", "stop", "fleet-sidecar");
        _fleet.Go();
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/left ]", "the report to be left");
        await _fleet.Machine.RunAsync("systemctl", "start", "fleet-sidecar");
        _fleet.Machine.Write($"{Fleet.Shared}/back", "");
        Assert.Contains("left in a file", (await _fleet.WaitForAsync(task, "completed")).ToString());
    }

    [Fact]
    public async Task Pipes_dates_and_links_in_the_place_of_what_the_daemon_reads_and_writes_stop_nobody_and_show_nothing()
    {
        // A second profile, so that a refused key means a second wake in directories that the first agent has prepared.
        _fleet.Machine.Write("/etc/fleet-sidecar/conf.d/two.json", """
            { "wake": { "profiles": [ { "name": "main", "command": ["/usr/local/bin/agent"], "aliveFor": "00:00:00.2" }, { "name": "second", "command": ["/usr/local/bin/agent"], "aliveFor": "00:00:00.2" } ] } }
            """, (UnixFileMode)0x1a4);
        await _fleet.Machine.RunAsync("systemctl", "restart", "fleet-sidecar");
        await _fleet.UpAsync();
        _fleet.AgentDoes("cd \"$FLEET_RUN_DIR\"; rm -f task.json; mkfifo task.json; mkdir wake-2; echo \"$$ 0\" >wake-2/recorder; echo '401 unauthorized' >&2; exit 1");
        await DoneAsync("dead_letter");
        await NextIsDoneAsync();

        _fleet.AgentDoes("fleet-sidecar task start; cd \"$FLEET_RUN_DIR/wake-1\"; touch -d @99999999999999 stdout; mkdir end.tmp; echo x >end.tmp/x; echo '0 success 0' >end; touch -d @99999999999999 end; exit 7");
        await DoneAsync("dead_letter");
        await _fleet.Machine.RunAsync("systemctl", "restart", "fleet-sidecar");
        await NextIsDoneAsync();

        // One that works and says a secret; one that puts a link to it in the place of its own record, and has two wakes.
        _fleet.AgentDoes($"""
            if [ -e {Fleet.Shared}/victim ]; then
              cd "$FLEET_RUN_DIR"; mv wake-1 old; ln -s "/var/lib/fleet-sidecar/runs/$(cat {Fleet.Shared}/victim)/wake-1" wake-1; ln -s wake-1 wake-2; echo '401 unauthorized' >old/stderr; exit 1
            fi
            echo 'SECRET-OF-ANOTHER'; fleet-sidecar task start; echo "$FLEET_RUN_ID" >{Fleet.Shared}/victim
            while [ ! -e {Fleet.Shared}/go ]; do sleep 0.1; done
            fleet-sidecar task complete --output mine
            """);
        var victim = await _fleet.SubmitAsync(NoRepository);
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/victim ]", "the first agent to be at work");
        Assert.DoesNotContain("SECRET", (await DoneAsync("dead_letter")).ToString());
        _fleet.Go();
        await _fleet.WaitForAsync(victim, "completed");
        await _fleet.Machine.ShellAsync($"rm -f {Fleet.Shared}/go {Fleet.Shared}/victim");

        // Root looks at the logs.
        _fleet.AgentDoes("fleet-sidecar task start; cd \"$FLEET_RUN_DIR/wake-1\"; mv stdout o; ln -s /etc/shadow stdout; rm stderr; mkfifo stderr; fleet-sidecar task complete --output x");
        var task = (await DoneAsync("completed")).GetProperty("id").GetString();
        Assert.Equal("", await _fleet.Machine.ShellAsync($"timeout 10 fleet-sidecar logs {task}; timeout 10 fleet-sidecar logs {task} --stderr"));
    }

    // The second: each connection was made by a process that has ended since, so its number says nothing.
    [Theory]
    [InlineData("my $s = IO::Socket::UNIX->new(Peer => $ENV{FLEET_SOCKET}) or next; $s->autoflush(1); print $s \"{\";")]
    [InlineData("socket(my $s, AF_UNIX, SOCK_STREAM, 0) or next; my $child = fork; if (!$child) { connect($s, pack_sockaddr_un($ENV{FLEET_SOCKET})); POSIX::_exit(0) } waitpid($child, 0); syswrite($s, \"{\");")]
    public async Task An_agent_that_holds_the_socket_open_shuts_out_itself_alone(string connect)
    {
        _fleet.AgentDoes($$"""
            if [ -e {{Fleet.Shared}}/victim ]; then
              for i in 1 2 3; do fleet-sidecar task progress --percent 1 || exit 1; done
              fleet-sidecar task complete --output "heard"
              exit
            fi
            fleet-sidecar task start
            touch {{Fleet.Shared}}/victim
            perl -MPOSIX -MSocket -MIO::Socket::UNIX -e '$SIG{PIPE} = "IGNORE"; my @all; while (1) { {{connect}} push @all, $s; splice(@all, 0, 100) if @all > 200; }' &
            while [ ! -e {{Fleet.Shared}}/go ]; do sleep 0.1; done
            kill $!
            fleet-sidecar task complete --output "flooded"
            """);
        var flood = await _fleet.SubmitAsync(NoRepository);
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/victim ]", "the flood");

        Assert.Contains("heard", (await DoneAsync("completed")).ToString());

        _fleet.Go();
        await _fleet.WaitForAsync(flood, "completed");
        Assert.InRange((await _fleet.JournalAsync("-u", "fleet-sidecar", "FLEET_EVENT=ControlRequestFailed")).Split('\n').Length, 0, 5);
    }

    [Fact]
    public async Task Deep_trees_odd_modes_and_a_closed_home_cost_the_run_that_made_them_and_no_other()
    {
        _fleet.AgentDoes("""
            fleet-sidecar task start
            cd "$FLEET_RUN_DIR"; cp /bin/true suid; chmod 6755 suid; mkdir d; chmod 2000 d; mkdir shut; chmod 000 shut
            perl -e 'for (1..12000) { mkdir "d" or last; chdir "d" or last }'
            fleet-sidecar task complete --output deep
            """);
        await DoneAsync("completed", TimeSpan.FromMinutes(4));
        Assert.Equal("", await _fleet.Machine.ShellAsync("find /var/lib/fleet-sidecar/runs -maxdepth 2 \\( -perm /6000 -o ! -type l ! -user fleet-sidecar \\)"));
        await NextIsDoneAsync();

        _fleet.AgentDoes("fleet-sidecar task start; rm -rf ~/.gitconfig; mkfifo ~/.gitconfig; chmod 000 ~; sleep 1; fleet-sidecar task complete --output shut");
        await DoneAsync("completed"); // And its own end was written down.
        await _fleet.Machine.ShellAsync("echo '[user]' >/var/lib/fleet-agents/common/.gitconfig");
        await NextIsDoneAsync();
        Assert.Equal("700 [user]", (await _fleet.Machine.ShellAsync("stat -c %a /var/lib/fleet-agents/1; cat /var/lib/fleet-agents/1/.gitconfig")).Trim().Replace('\n', ' '));
    }

    [Fact]
    public async Task The_agents_program_runs_as_their_user_and_as_nobody_else_whatever_their_home_allows()
    {
        var machine = _fleet.Machine;
        await machine.ShellAsync($"mkdir -p {Fleet.Shared}/bin /etc/fleet-sidecar/conf.d");
        machine.Write($"{Fleet.Shared}/bin/claude", $"""
            #!/bin/sh
            user=$(id -un)
            echo "$user" >>{Fleet.Shared}/ran || touch /var/lib/fleet-sidecar/ran-as-$user
            echo '9.9.9 (Claude Code)'

            """, (UnixFileMode)0x1ed);
        machine.Write("/etc/fleet-sidecar/conf.d/50-second.json", $$"""
            { "wake": { "profiles": [
                { "name": "main", "command": ["/usr/local/bin/agent"], "aliveFor": "00:00:00.2" },
                { "name": "second", "adapter": "claude-code", "command": ["{{Fleet.Shared}}/bin/claude"] } ] } }
            """);
        await machine.ShellAsync($"chown -R fleet-agent-1:fleet-agent-1 {Fleet.Shared}; chmod 755 {Fleet.Shared} {Fleet.Shared}/bin; systemctl restart fleet-sidecar");
        await _fleet.UpAsync();

        for (var look = 0; look < 3; look++)
        {
            Assert.Contains("profile second: 9.9.9 (Claude Code)", await machine.RunAsync("fleet-sidecar", "doctor"));
        }

        await machine.RunAsync("systemctl", "stop", "fleet-sidecar");
        Assert.Contains("it was only looked at", (await machine.TryAsync("fleet-sidecar", "doctor")).Text);
        Assert.Equal("fleet-agent-1", (await machine.ShellAsync($"sort -u {Fleet.Shared}/ran; cd /var/lib/fleet-sidecar; ls -d ran-as-* 2>/dev/null || :")).Trim());
    }

    [Fact]
    public async Task What_a_process_elsewhere_still_has_open_and_what_an_access_list_names_open_nothing_after_the_run()
    {
        // An agent that gives its own user everything by an access list, which an owner's change leaves in force.
        _fleet.AgentDoes($$"""
            fleet-sidecar task start
            perl -e 'my $list = pack("V", 2) . join("", map { pack("vvV", @$_) } [1, 7, 0xffffffff], [2, 7, $<], [4, 7, 0xffffffff], [16, 7, 0xffffffff], [32, 0, 0xffffffff]);
              my $set = `uname -m` =~ /aarch64/ ? 5 : 188;
              my $here = ".";
              for my $kind ("access", "default") { my $name = "system.posix_acl_$kind"; syscall($set, $here, $name, $list, length($list), 0) == 0 or die "no list: $!" }' || exit 9
            chmod 777 .
            echo "$FLEET_RUN_ID" >{{Fleet.Shared}}/victim
            while [ ! -e {{Fleet.Shared}}/go ]; do sleep 0.1; done
            exit 3
            """);
        var task = await _fleet.SubmitAsync();
        await _fleet.Machine.UntilAsync($"[ -s {Fleet.Shared}/victim ]", "the agent to be at work");
        var work = $"/var/lib/fleet-sidecar/workspaces/{_fleet.Machine.Read($"{Fleet.Shared}/victim").Trim()}/work";

        // Stands for a process of another run that was handed the descriptors over a socket.
        await _fleet.Machine.ShellAsync($$"""
            cat >/root/other.sh <<'END'
            exec 5<{{work}} 6>>{{work}}/.git/objects/info/alternates
            exec setpriv --reuid fleet-agent-1 --regid fleet-agent-1 --clear-groups sh -c 'echo x >/proc/self/fd/5/early; while [ ! -e {{Fleet.Shared}}/over ]; do n=$((n + 1)); mkdir -m 777 /proc/self/fd/5/mine$n 2>/dev/null; sleep 0.01; done; echo x >/proc/self/fd/5/late; echo /elsewhere >&6; touch {{Fleet.Shared}}/tried'
            END
            systemd-run -q --unit other bash /root/other.sh
            """);
        await _fleet.Machine.UntilAsync($"[ -e {work}/early ]", "the other process to have the directory");
        _fleet.Go();
        await _fleet.WaitForAsync(task, "dead_letter");
        await Wait.UntilAsync(() => _fleet.StatusAsync().GetAwaiter().GetResult().GetProperty("runs").GetArrayLength() == 0, "the run to be settled");
        _fleet.Machine.Write($"{Fleet.Shared}/over", "");
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/tried ]", "the other process to have tried");

        Assert.Equal("early", (await _fleet.Machine.ShellAsync($"cd {work} && ls -d early late 2>/dev/null || :")).Trim());
        Assert.Contains("mine", await _fleet.Machine.ShellAsync($"ls {work}"));
        var open = await _fleet.Machine.ShellAsync($"find {work} ! -user fleet-sidecar -o -type d -perm /022; ls /var/lib/fleet-sidecar/orders");
        Assert.True(open.Length == 0, open + await _fleet.JournalAsync("-u", "fleet-sidecar", "-u", "fleet-takeback@*", "-n", "40"));
        Assert.DoesNotContain("elsewhere", await _fleet.Machine.ShellAsync($"cat {work}/.git/objects/info/alternates"));
    }

    [Fact]
    public async Task A_journal_entry_in_the_daemons_name_is_not_shown_by_the_documented_query()
    {
        _fleet.AgentDoes("""
            fleet-sidecar task start
            printf 'MESSAGE=forged\nPRIORITY=6\nSYSLOG_IDENTIFIER=fleet-sidecar\nFLEET_EVENT=RunSettled\nFLEET_TASK_ID=%s\n_UID=0\n_SYSTEMD_UNIT=fleet-sidecar.service\n' "$FLEET_TASK_ID" | logger --journald
            fleet-sidecar task complete --output x
            """);
        var task = (await DoneAsync("completed")).GetProperty("id").GetString()!;

        await _fleet.Machine.UntilAsync($"journalctl -q FLEET_TASK_ID={task} | grep -q forged", "the forged entry to be in the journal");
        var told = await _fleet.Machine.ShellAsync($"journalctl --no-pager -o cat FLEET_TASK_ID={task} _UID=$(id -u fleet-sidecar)");
        Assert.DoesNotContain("forged", told);
        Assert.Contains(task, told);
        Assert.DoesNotContain("forged", await _fleet.JournalAsync("-u", "fleet-sidecar"));
    }

    [Fact]
    public async Task A_note_that_names_a_process_of_somebody_else_holds_nothing_open()
    {
        await _fleet.Machine.ShellAsync($"cat /proc/1/stat >{Fleet.Shared}/first-process");
        _fleet.AgentDoes($"cat {Fleet.Shared}/first-process >\"$FLEET_RUN_DIR/wake-1/recorder\"\nfleet-sidecar task start\nsleep 1\nfleet-sidecar task complete --output 'ended all the same'");

        Assert.Contains("ended all the same", (await DoneAsync("completed")).ToString());
    }

    [Fact]
    public async Task The_end_of_an_agent_that_filled_the_disk_is_known_all_the_same()
    {
        var machine = _fleet.Machine;
        machine.Write("/etc/fleet-sidecar/conf.d/floor.json", """{ "selfTest": { "diskFloorBytes": 8000000, "diskFloorInodes": 100 } }""", (UnixFileMode)0x1a4);
        await machine.ShellAsync("""
            systemctl stop fleet-sidecar; cp -a /var/lib/fleet-sidecar /root/state
            mount -t tmpfs -o size=120m,mode=700 small /var/lib/fleet-sidecar; cp -a /root/state/. /var/lib/fleet-sidecar; chown fleet-sidecar: /var/lib/fleet-sidecar
            systemctl start fleet-sidecar
            """);
        await _fleet.UpAsync();
        _fleet.AgentDoes("fleet-sidecar task start; head -c 500M /dev/zero >\"$FLEET_RUN_DIR/fill\" 2>/dev/null; exit 7");

        Assert.Contains("exit code 7", (await DoneAsync("dead_letter")).ToString());
        await machine.ShellAsync("rm -f /var/lib/fleet-sidecar/runs/*/fill");
        await _fleet.UpAsync();
        await NextIsDoneAsync();
    }

    [Fact]
    public async Task An_agent_that_takes_the_hubs_port_is_told_no_token_and_the_hub_comes_back()
    {
        _fleet.AgentDoes($$"""
            fleet-sidecar task start
            exec perl -MIO::Socket::INET -e 'my $s; until ($s) { $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:7070", Listen => 9, ReuseAddr => 1) or select(undef, undef, undef, 0.002) }
              open my $o, ">", "{{Fleet.Shared}}/taken"; close $o; alarm 12; $SIG{ALRM} = sub { exit 0 };
              while (my $c = $s->accept) { sysread($c, my $said, 4000); open my $f, ">>", "{{Fleet.Shared}}/said"; print $f $said; close $f;
                print $c "HTTP/1.1 503 Busy\r\nWWW-Authenticate: Bearer\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"; close $c }'
            """);
        var task = await _fleet.SubmitAsync(NoRepository);
        await _fleet.RunningAsync();
        await _fleet.Machine.ShellAsync("systemctl stop fleet-hub");
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/taken ]", "the agent to have the port");
        await _fleet.Machine.ShellAsync("systemctl start --no-block fleet-hub");
        Assert.Contains("which is no hub", await _fleet.Machine.ShellAsync("fleet-hub task list --token-file /root/operator 2>&1; :"));
        await _fleet.Machine.UntilAsync("journalctl -q -u fleet-sidecar | grep -q 'is held by a program of fleet-agent'", "the daemon to see who has the port");

        await _fleet.UpAsync();
        await _fleet.WaitForAsync(task, "dead_letter");

        // The test's own questions about the task were asked there too, with another token.
        Assert.DoesNotContain((await _fleet.Machine.ShellAsync($"cat {Fleet.Token}")).Trim(), await _fleet.Machine.ShellAsync($"cat {Fleet.Shared}/said 2>/dev/null || :"));
    }

    // It accepts one connection, stops listening, and answers as a hub would.
    [Fact]
    public async Task An_agent_that_takes_the_hubs_port_and_lets_go_of_it_once_it_is_connected_is_told_no_token()
    {
        _fleet.AgentDoes($$"""
            fleet-sidecar task start
            exec perl -MIO::Socket::INET -MDigest::SHA=sha1_base64 -e 'my $s; until ($s) { $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:7070", Listen => 1, ReuseAddr => 1) or select(undef, undef, undef, 0.002) }
              open my $o, ">", "{{Fleet.Shared}}/taken"; close $o; $SIG{ALRM} = sub { exit 0 }; alarm 20; my $c = $s->accept; close $s; $c->autoflush(1);
              my $said = ""; while ($said !~ /\r\n\r\n/ && sysread($c, my $piece, 4000)) { $said .= $piece }
              if ($said =~ /Sec-WebSocket-Key: (\S+)/i) { print $c "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " . sha1_base64($1 . "258EAFA5-E914-47DA-95CA-C5AB0DC85B11") . "=\r\n\r\n" }
              while (sysread($c, my $piece, 4000)) { my @b = map { ord } split //, $piece; $said .= $piece;
                my $at = ($b[1] & 127) == 126 ? 4 : 2; my @mask = @b[$at .. $at + 3]; $said .= join "", map { chr($b[$_] ^ $mask[($_ - $at - 4) % 4]) } $at + 4 .. $#b; open my $f, ">>", "{{Fleet.Shared}}/said"; print $f $said; close $f }'
            """);
        var task = await _fleet.SubmitAsync(NoRepository);
        await _fleet.RunningAsync();
        await _fleet.Machine.ShellAsync("systemctl stop fleet-hub");
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/taken ]", "the agent to have the port");
        await _fleet.Machine.UntilAsync("journalctl -q -u fleet-sidecar | grep -q 'is held by a program of fleet-agent'", "the daemon to see who has the port");
        await _fleet.Machine.ShellAsync("systemctl start --no-block fleet-hub");

        await _fleet.UpAsync();
        await _fleet.WaitForAsync(task, "dead_letter");

        Assert.DoesNotContain((await _fleet.Machine.ShellAsync($"cat {Fleet.Token}")).Trim(), await _fleet.Machine.ShellAsync($"cat {Fleet.Shared}/said 2>/dev/null || :"));
    }

    [Fact]
    public async Task An_agent_keeps_the_service_manager_from_nothing()
    {
        _fleet.AgentDoes("""
            fleet-sidecar task start
            fleet-sidecar task complete --output "sockets: $(echo $(ls /run/systemd)), notify $(perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_DGRAM, 0); print connect($s, pack_sockaddr_un("/run/systemd/notify")) ? "reached" : "closed"')"
            """);

        var done = (await DoneAsync("completed")).GetProperty("result").GetProperty("output").GetString()!;
        Assert.Matches("^sockets: (incoming )?journal( resolve)?, notify closed$", done);
    }

    [Fact]
    public async Task An_agent_starts_nothing_outside_of_its_unit_and_gets_no_namespace_of_its_own()
    {
        _fleet.AgentDoes("""
            fleet-sidecar task start
            bus=$(perl -MIO::Socket::UNIX -e 'print IO::Socket::UNIX->new(Peer => "/run/dbus/system_bus_socket") ? "reached" : "closed"')
            manager=$(ls /run/user 2>/dev/null | wc -l)
            namespace=$(unshare --user true 2>/dev/null && echo made || echo refused)
            core=$(ulimit -Hc)
            echo x >/dev/shm/left
            fleet-sidecar task complete --output "bus $bus, managers $manager, namespace $namespace, core $core"
            """);

        Assert.Contains("bus closed, managers 0, namespace refused, core 0", (await DoneAsync("completed")).ToString());
        Assert.Equal("", await _fleet.Machine.ShellAsync("ls /dev/shm"));
    }

    private async Task<System.Text.Json.JsonElement> DoneAsync(string status, TimeSpan? limit = null) => await _fleet.WaitForAsync(await _fleet.SubmitAsync(NoRepository), status, limit);

    private async Task NextIsDoneAsync()
    {
        _fleet.AgentDoes("fleet-sidecar task start\nfleet-sidecar task complete --output next");
        await DoneAsync("completed");
    }
}
