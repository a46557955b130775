namespace FleetSidecar.Lab;

/// <summary>Each run in a unit of its own: what it is given, what it cannot do, and how its end is told.</summary>
public sealed class AgentUnitTests : IAsyncLifetime
{
    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task A_task_runs_in_a_unit_of_its_own_as_the_agents_user_and_its_work_is_pushed()
    {
        _fleet.AgentDoes($"id -un; umask; cat /proc/self/cgroup\n{Fleet.Worker}");
        var task = await _fleet.SubmitAsync();
        var run = Assert.Single(await _fleet.RunningAsync());

        Assert.Equal("active", await _fleet.Machine.PropertyAsync(Fleet.UnitOf(run), "ActiveState"));
        Assert.Equal(Fleet.PidOf(run), await _fleet.Machine.NumberAsync(Fleet.UnitOf(run), "MainPID"));
        Assert.Equal("fleet-agents.slice", await _fleet.Machine.PropertyAsync(Fleet.UnitOf(run), "Slice"));

        _fleet.Go();
        await _fleet.WaitForAsync(task, "completed");
        Assert.Contains($"Do {task}", await _fleet.Machine.RunAsync("git", "-c", "safe.directory=*", "-C", "/srv/git/app.git", "log", "--all", "--format=%s"));
        Assert.Single(_fleet.Executions);
        await _fleet.Machine.UntilAsync($"[ \"$(systemctl show -P LoadState '{Fleet.UnitOf(run)}')\" = loaded ] && ! systemctl is-active -q '{Fleet.UnitOf(run)}' && ! systemctl is-failed -q '{Fleet.UnitOf(run)}'", "the unit to be over");

        // Everything about the task, the agent's own words too, is found by one field.
        var found = await _fleet.JournalAsync($"FLEET_TASK_ID={task}");
        Assert.Contains("AgentStarted", found);
        Assert.Contains("completed -> settled", found);
        Assert.Contains("fleet-agent-1\n", found);
        Assert.Contains("0022", found);
        Assert.Equal(found.Split('\n').Count(line => line.StartsWith("RunLoop[", StringComparison.Ordinal)),
            (await _fleet.JournalAsync("-u", "fleet-sidecar", $"FLEET_TASK_ID={task}", "FLEET_AGENT=iris", "FLEET_EVENT=RunMoved")).Split('\n').Count(line => line.Length > 0));
    }

    [Fact]
    public async Task L30_a_run_that_eats_memory_is_reported_as_out_of_memory_and_nothing_else()
    {
        await LimitAsync("MemoryMax=48M\nMemorySwapMax=0");
        _fleet.AgentDoes("fleet-sidecar task start\necho '401 token expired'\nhead -c 400M /dev/zero | tail -n 1 >/dev/null");
        var task = await _fleet.SubmitAsync("\"priority\": \"normal\"");
        var said = await _fleet.WaitForAsync(task, "dead_letter");
        Assert.Contains("out_of_memory", said.ToString());
        Assert.DoesNotContain("\"auth\"", said.ToString());
    }

    [Fact]
    public async Task An_agent_that_forks_and_leaves_everything_behind_is_killed_whole()
    {
        _fleet.AgentDoes($$"""
            fleet-sidecar task start
            for i in 1 2 3; do
              setsid env -i /bin/sh -c '( trap "" TERM HUP INT; exec sleep 4711 ) & exit' </dev/null >/dev/null 2>&1
            done
            fleet-sidecar task complete --output left
            """);
        var task = await _fleet.SubmitAsync("\"priority\": \"normal\"");
        await _fleet.WaitForAsync(task, "completed");
        Assert.NotEqual(0, (await _fleet.Machine.TryAsync("pgrep", "-f", "sleep 4711")).ExitCode);
    }

    [Fact]
    public async Task An_agent_that_ignores_TERM_is_ended_by_KILL_when_its_task_is_cancelled()
    {
        _fleet.AgentDoes("trap '' TERM INT HUP\nfleet-sidecar task start\nwhile :; do sleep 4712; done");
        var task = await _fleet.SubmitAsync("\"priority\": \"normal\"");
        var run = Assert.Single(await _fleet.RunningAsync());
        await _fleet.Machine.RunAsync("fleet-hub", "task", "cancel", task);
        await _fleet.Machine.UntilAsync($"! kill -0 {Fleet.PidOf(run)} 2>/dev/null && ! pgrep -f '[s]leep 4712'", "the agent to be gone");
        await _fleet.Machine.UntilAsync($"grep -q '^137 ' /var/lib/fleet-sidecar/runs/{run.GetProperty("run_id").GetString()}/wake-1/end", "its end to be written down");
    }

    [Fact]
    public async Task The_agents_user_cannot_read_token_store_or_another_run_and_speaks_for_its_own_run_alone()
    {
        // Two runs at once. Each writes down what it can see; the second also tries to speak for the first with its nonce.
        _fleet.AgentDoes($$"""
            echo "$FLEET_NONCE $FLEET_RUN_ID" >{{Fleet.Shared}}/nonce-$FLEET_TASK_ID
            fleet-sidecar task start
            while [ ! -e {{Fleet.Shared}}/look ]; do sleep 0.1; done
            {
              for f in /etc/fleet-sidecar/hub-token /var/lib/fleet-sidecar/state.db /run/credentials/fleet-sidecar.service/hub-token /etc/fleet-sidecar/sidecar.json; do cat "$f" >/dev/null 2>&1 && echo "READ $f"; done
              ls /var/lib/fleet-sidecar/runs | grep -v "$FLEET_RUN_ID" | sed 's/^/SAW /'
              for p in /proc/[0-9]*; do
                [ "$(readlink $p/ns/mnt 2>/dev/null)" = "$(readlink /proc/self/ns/mnt)" ] && continue
                tr '\0' '\n' <$p/environ 2>/dev/null | grep FLEET_NONCE | sed "s#^#ENVIRON $p #"
                ls $p/root/var/lib/fleet-sidecar/runs 2>/dev/null | sed "s#^#ROOT $p #"
              done
              for n in {{Fleet.Shared}}/nonce-*; do
                read -r nonce run <$n
                if [ "$run" != "$FLEET_RUN_ID" ] && FLEET_NONCE=$nonce fleet-sidecar task complete --output stolen 2>&1; then echo "SPOKE FOR $run"; fi
              done
              for s in control agent; do
                fleet-sidecar status --config {{Fleet.Shared}}/own.json --set control.socket=/run/fleet-sidecar/$s.sock 2>&1 && echo "STATUS BY $s"
                fleet-sidecar pause --reason mine --config {{Fleet.Shared}}/own.json --set control.socket=/run/fleet-sidecar/$s.sock 2>&1 && echo "PAUSED BY $s"
              done
              echo LOOKED
            } >{{Fleet.Shared}}/seen-$FLEET_TASK_ID 2>&1
            while [ ! -e {{Fleet.Shared}}/go ]; do sleep 0.1; done
            fleet-sidecar task complete --output "mine"
            """);
        _fleet.Machine.Write($"{Fleet.Shared}/own.json", """{ "agent": { "id": "x" }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "/x" }, "wake": { "profiles": [ { "name": "x", "command": ["/bin/true"] } ] } }""", (UnixFileMode)0x1a4);
        const string NoRepository = "\"priority\": \"normal\"";
        var (first, second) = (await _fleet.SubmitAsync(NoRepository), await _fleet.SubmitAsync(NoRepository));
        await _fleet.RunningAsync(2);
        _fleet.Machine.Write($"{Fleet.Shared}/look", "");
        foreach (var task in new[] { first, second })
        {
            await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/seen-{task} ] && grep -q LOOKED {Fleet.Shared}/seen-{task}", "the looking to be over");
        }

        await _fleet.RunningAsync(2);
        foreach (var task in new[] { first, second })
        {
            var seen = await _fleet.Machine.ShellAsync($"cat {Fleet.Shared}/seen-{task}");
            Assert.Contains("only a process of the run itself", seen);
            Assert.Contains("agents may only speak for their own run", seen);
            Assert.Contains("Permission denied", seen);
            Assert.DoesNotMatch("READ|SAW|ENVIRON|ROOT|SPOKE|STATUS|PAUSED", seen);
        }

        // And from outside of any run.
        foreach (var path in new[] { Fleet.Token, "/var/lib/fleet-sidecar/state.db", "/var/lib/fleet-sidecar/runs", "/var/log/fleet-sidecar" })
        {
            Assert.NotEqual(0, (await _fleet.Machine.TryAsync("setpriv", "--reuid=fleet-agent", "--regid=fleet-agent", "--clear-groups", "ls", path + "/")).ExitCode);
            Assert.NotEqual(0, (await _fleet.Machine.TryAsync("setpriv", "--reuid=fleet-agent", "--regid=fleet-agent", "--clear-groups", "cat", path)).ExitCode);
        }

        _fleet.Go();
        await _fleet.WaitForAsync(first, "completed");
        Assert.Contains("mine", (await _fleet.WaitForAsync(second, "completed")).ToString());
    }

    [Fact]
    public async Task Verification_steps_run_as_the_agents_user_in_the_same_place()
    {
        _fleet.AgentDoes("fleet-sidecar task start\nprintf '#!/bin/sh\\nid -un; pwd; cat /etc/fleet-sidecar/hub-token; setsid sleep 4713 & exit 0\\n' >check; chmod +x check; git add .; git commit -qm check\nfleet-sidecar task complete --output done");
        var task = await _fleet.SubmitAsync("\"repo\": \"git://127.0.0.1/app.git\", \"verification_steps\": [ { \"type\": \"command_succeeds\", \"target\": \"./check\", \"description\": \"it says who it is\" } ]");
        await _fleet.WaitForAsync(task, "completed");
        var log = await _fleet.Machine.ShellAsync("cat /var/lib/fleet-sidecar/runs/*/verify-1.log");
        Assert.Contains("fleet-agent-1\n/var/lib/fleet-sidecar/workspaces/run_", log);
        Assert.Contains("hub-token", log);
        Assert.DoesNotContain((await _fleet.Machine.ShellAsync($"cat {Fleet.Token}")).Trim(), log);
        Assert.NotEqual(0, (await _fleet.Machine.TryAsync("pgrep", "-f", "sleep 4713")).ExitCode);
    }

    [Fact]
    public async Task What_an_agent_leaves_in_its_directories_reaches_nothing_outside_of_them_and_stops_nobody()
    {
        // Links where owners and modes are changed, things where the daemon has files of its own, a tree too deep for a path, a pipe in git's objects.
        var shadow = await _fleet.Machine.RunAsync("stat", "-c", "%U:%G %a", "/etc/shadow", "/etc/passwd", "/etc");
        _fleet.AgentDoes("""
            fleet-sidecar task start
            cd "$FLEET_RUN_DIR"; mkdir lent order odd; ln -s /etc/shadow link; ln -s /etc links; ln -s /etc/passwd task.tmp; chmod 000 odd; chmod 777 .
            cd "$FLEET_WORKSPACE"; ln -s /etc/shadow s; mkdir open; chmod 777 open
            perl -e 'for (1..5000) { mkdir "d"; chdir "d" }'
            mkfifo .git/objects/info/pipe
            fleet-sidecar task complete --output left
            """);
        var task = await _fleet.SubmitAsync();
        Assert.Contains("not what git makes there", (await _fleet.WaitForAsync(task, "dead_letter")).ToString());
        Assert.Equal(shadow, await _fleet.Machine.RunAsync("stat", "-c", "%U:%G %a", "/etc/shadow", "/etc/passwd", "/etc"));
        await _fleet.Machine.UntilAsync("[ -z \"$(find /var/lib/fleet-sidecar/runs /var/lib/fleet-sidecar/workspaces -maxdepth 3 ! -type l \\( ! -user fleet-sidecar -o -perm /007 \\) -path '*run_*/*' -print -quit)\" ]", "everything to be the daemon's again");
        Assert.InRange((await _fleet.JournalAsync("-u", "fleet-agent*@*")).Length, 0, 100_000);

        await _fleet.Machine.RunAsync("systemctl", "restart", "fleet-sidecar");
        _fleet.AgentDoes("fleet-sidecar task start\nfleet-sidecar task complete --output next");
        await _fleet.WaitForAsync(await _fleet.SubmitAsync("\"priority\": \"normal\""), "completed");
    }

    [Fact]
    public async Task A_run_whose_agent_cannot_be_stopped_is_not_over_and_is_ended_as_soon_as_it_can_be()
    {
        _fleet.AgentDoes("trap '' TERM\nfleet-sidecar task start\nwhile :; do sleep 1; done");
        var task = await _fleet.SubmitAsync("\"priority\": \"normal\"");
        var run = Assert.Single(await _fleet.RunningAsync());
        await _fleet.Machine.ShellAsync("systemctl mask --now polkit 2>&1");
        await _fleet.Machine.RunAsync("fleet-hub", "task", "cancel", task);

        await _fleet.Machine.UntilAsync("journalctl -u fleet-sidecar -o cat --no-pager -p err | grep -q AgentNotStopped", "the daemon to say so");
        Assert.Contains("1 of", await _fleet.Machine.RunAsync("fleet-sidecar", "status")); // It takes its slot.

        await _fleet.Machine.ShellAsync("systemctl unmask polkit 2>&1; systemctl start polkit");
        await _fleet.Machine.UntilAsync($"! kill -0 {Fleet.PidOf(run)} 2>/dev/null", "the agent to be gone");
        await _fleet.UpAsync();
    }

    [Fact]
    public async Task Without_units_to_start_agents_in_the_machine_is_not_available()
    {
        await _fleet.Machine.ShellAsync("systemctl mask fleet-agent-1@.service 2>&1");
        var (code, said) = await _fleet.Machine.TryAsync("fleet-sidecar", "doctor");
        Assert.Equal(1, code);
        Assert.Contains("masked", said);
        await _fleet.Machine.ShellAsync("systemctl unmask fleet-agent-1@.service 2>&1");
        Assert.Equal(0, (await _fleet.Machine.TryAsync("fleet-sidecar", "doctor")).ExitCode);
    }

    private async Task LimitAsync(string lines)
    {
        _fleet.Machine.Write("/etc/systemd/system/fleet-agent-@.service.d/test.conf", $"[Service]\n{lines}\n");
        await _fleet.Machine.RunAsync("systemctl", "daemon-reload");
    }
}
