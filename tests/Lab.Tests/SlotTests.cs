namespace FleetSidecar.Lab;

/// <summary>Each agent has a user and a home of its own: what one does reaches no other.</summary>
public sealed class SlotTests : IAsyncLifetime
{
    private const string NoRepository = "\"priority\": \"normal\"", Homes = "/var/lib/fleet-agents";

    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task An_agent_neither_signals_nor_sees_nor_reads_nor_writes_what_another_one_has()
    {
        _fleet.AgentDoes($$"""
            fleet-sidecar task start
            if mkdir {{Fleet.Shared}}/first 2>/dev/null; then
              echo "$$ $HOME $FLEET_RUN_DIR" >{{Fleet.Shared}}/victim.tmp
              echo secret >~/secret; chmod -R 777 ~; mv {{Fleet.Shared}}/victim.tmp {{Fleet.Shared}}/victim
              while [ ! -e {{Fleet.Shared}}/go ]; do sleep 0.1; done
              fleet-sidecar task complete --output "alive, and at home: $(ls ~)"
              exit
            fi
            while [ ! -e {{Fleet.Shared}}/victim ]; do sleep 0.1; done
            read -r pid home run <{{Fleet.Shared}}/victim
            {
              id -un
              kill -9 $pid && echo KILLED; kill -9 -1 # Everybody that it may signal but itself.
              ls -d /proc/$pid && echo SAW; cat /proc/$pid/environ && echo ENVIRON
              cat $home/secret && echo READ; echo x >$home/planted && echo WROTE; ls $home && echo LISTED
              echo '0 success 0' >$run/wake-1/end && echo FORGED; ls /var/lib/fleet-sidecar/runs
              ls {{Homes}}; echo LOOKED
            } >{{Fleet.Shared}}/seen 2>&1
            fleet-sidecar task complete --output "looked"
            """);
        var first = await _fleet.SubmitAsync(NoRepository);
        await _fleet.Machine.UntilAsync($"[ -e {Fleet.Shared}/victim ]", "the first agent to be at work");
        await _fleet.WaitForAsync(await _fleet.SubmitAsync(NoRepository), "completed");

        var seen = _fleet.Machine.Read($"{Fleet.Shared}/seen");
        Assert.StartsWith("fleet-agent-2\n", seen);
        Assert.DoesNotMatch("KILLED|SAW|ENVIRON|READ|WROTE|LISTED|FORGED|secret\n", seen);
        Assert.EndsWith("\n2\ncommon\nLOOKED\n", seen);
        _fleet.Go();
        Assert.Contains("alive, and at home: secret", (await _fleet.WaitForAsync(first, "completed")).ToString());
    }

    [Fact]
    public async Task What_all_agents_are_given_is_in_each_home_and_nobody_changes_it_for_another()
    {
        // As docs/systemd.md says it: signed in once, by the user beside the slots.
        var machine = _fleet.Machine;
        await machine.ShellAsync("cd /var/lib/fleet-agent; runuser -u fleet-agent -- sh -c 'umask 077; mkdir .claude; echo first >.claude/credentials; echo {} >.claude.json'");
        foreach (var line in Documented(await File.ReadAllTextAsync(Path.Combine(TestProgram.Root, "docs/systemd.md"))))
        {
            await machine.ShellAsync(line.Replace("sudo -u fleet-agent ", "runuser -u fleet-agent -- ", StringComparison.Ordinal).Replace("sudo ", "", StringComparison.Ordinal));
        }

        _fleet.AgentDoes("fleet-sidecar task start\nsaid=$(cat ~/.claude/credentials)\necho mine >>~/.claude/credentials\necho x 2>/dev/null >/var/lib/fleet-agents/common/x && said=changed\nfleet-sidecar task complete --output \"$said\"");
        Assert.Equal("first", await SaysAsync());
        Assert.Equal("first\nmine", await SaysAsync()); // A program that renews its sign-in keeps the newer one.
        await machine.ShellAsync($"echo second >{Homes}/common/.claude/credentials; touch -d 'now + 1 hour' {Homes}/common/.claude/credentials");
        Assert.Equal("second", await SaysAsync());
        Assert.Equal("second", (await machine.ShellAsync($"cat {Homes}/common/.claude/credentials")).Trim());
        Assert.Equal("root:fleet-agents 640", (await machine.ShellAsync($"stat -c '%U:%G %a' {Homes}/common/.claude/credentials")).Trim());
    }

    [Fact]
    public async Task More_runs_than_users_are_said_and_a_slot_comes_back_with_the_end_of_its_run()
    {
        var machine = _fleet.Machine;
        machine.Write("/etc/fleet-sidecar/conf.d/many.json", """{ "agent": { "maxConcurrentRuns": 20 } }""", (UnixFileMode)0x1a4);
        await machine.RunAsync("systemctl", "restart", "fleet-sidecar");
        await _fleet.UpAsync();
        Assert.Contains("agent.maxConcurrentRuns is 20, and this machine has users for 16 agents", (await machine.TryAsync("fleet-sidecar", "doctor")).Text);
        _fleet.AgentDoes($"fleet-sidecar task start\nid -un >>{Fleet.Shared}/executions\nwhile [ ! -e {Fleet.Shared}/go ]; do sleep 0.2; done\nfleet-sidecar task complete --output x");
        var tasks = new List<string>();
        for (var task = 0; task < 3; task++)
        {
            tasks.Add(await _fleet.SubmitAsync(NoRepository));
        }

        await machine.UntilAsync($"[ $(sort -u {Fleet.Shared}/executions | wc -l) = 3 ]", "three users at work");
        await machine.RunAsync("systemctl", "restart", "fleet-sidecar");
        await machine.UntilAsync("[ \"$(ls /var/lib/fleet-sidecar/slots | xargs)\" = '1 2 3' ]", "the same slots, and that of the self-test given back");
        _fleet.Go();
        foreach (var task in tasks)
        {
            await _fleet.WaitForAsync(task, "completed");
        }

        await machine.UntilAsync("[ -z \"$(ls /var/lib/fleet-sidecar/slots)\" ]", "the slots to be free");
    }

    private async Task<string> SaysAsync() => (await _fleet.WaitForAsync(await _fleet.SubmitAsync(NoRepository), "completed")).GetProperty("result").GetProperty("output").GetString()!;

    // The commands of the section, without those that need a person.
    private static IEnumerable<string> Documented(string text) => text.Split("## Agents' users and homes")[1].Split("\n## ")[0]
        .Split('\n').Where(line => line.StartsWith("sudo ", StringComparison.Ordinal) && !line.Contains("-i claude", StringComparison.Ordinal));
}
