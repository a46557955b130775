using System.Text.RegularExpressions;

namespace FleetSidecar.Lab;

/// <summary>What of the network a profile's agents reach: everything, nothing, or what root's list names.</summary>
public sealed partial class NetworkPolicyTests : IAsyncLifetime
{
    private const string DropIn = "/etc/systemd/system/fleet-agent-list-@.service.d/allow.conf";

    // The hub is a service of this machine.
    private const string Look = """
        fleet-sidecar task start
        seen=$(timeout 2 bash -c ': >/dev/tcp/127.0.0.1/7070' 2>/dev/null && echo hub)
        bash -c 'echo x >/dev/udp/127.0.0.2/9' 2>/dev/null && [ "${FLEET_NETWORK-}" != none ] && seen="$seen other"
        fleet-sidecar task complete --output "${FLEET_NETWORK-open}:$seen"
        """;

    private Fleet _fleet = null!;

    public async ValueTask InitializeAsync() => _fleet = await Fleet.StartAsync();

    public ValueTask DisposeAsync() => _fleet?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task An_agent_and_its_verification_steps_reach_what_its_profile_says_and_the_sidecar_hears_it_all_the_same()
    {
        _fleet.AgentDoes(Look);
        Assert.Equal("open:hub other", await SaysAsync("all"));
        Assert.Equal("none:", await SaysAsync("none"));
        Assert.Equal("list:", await SaysAsync("list"));

        var documented = Documented().Match(await File.ReadAllTextAsync(Path.Combine(TestProgram.Root, "docs/systemd.md")));
        Assert.Equal(DropIn, documented.Groups["file"].Value);
        _fleet.Machine.Write(DropIn, documented.Groups["text"].Value.Replace("10.1.2.3 192.168.7.0/24", "127.0.0.1", StringComparison.Ordinal));
        await _fleet.Machine.ShellAsync("systemctl daemon-reload");
        Assert.Equal("list:hub", await SaysAsync("list"));
        Assert.Equal("none:", await SaysAsync("none"));

        // A step is the agent's code too.
        _fleet.Machine.Write("/usr/local/bin/step", "#!/bin/sh\nexec timeout 2 bash -c ': >/dev/tcp/127.0.0.1/7070'\n", (UnixFileMode)0x1ed);
        const string Step = "\"repo\": \"git://127.0.0.1/app.git\", \"verification_steps\": [{ \"type\": \"command\", \"target\": \"/usr/local/bin/step\" }]";
        _fleet.AgentDoes("fleet-sidecar task start; echo x >x; git add x; git commit -qm x; fleet-sidecar task complete");
        var closed = await _fleet.SubmitAsync(Step);
        Assert.Contains("verification", (await _fleet.WaitForAsync(closed, "dead_letter")).ToString(), StringComparison.Ordinal);
        await UseAsync("list");
        await _fleet.WaitForAsync(await _fleet.SubmitAsync(Step), "completed");
    }

    [Fact]
    public async Task A_run_with_a_policy_is_found_again_by_a_daemon_that_was_killed_and_cancelled_like_any_other()
    {
        _fleet.AgentDoes(Fleet.Worker);
        await UseAsync("none");
        var task = await _fleet.SubmitAsync();
        var run = Assert.Single(await _fleet.RunningAsync());
        Assert.Equal($"fleet-agent-none-1@{run.GetProperty("run_id").GetString()}.service", (await _fleet.Machine.ShellAsync($"systemctl list-units --plain --no-legend 'fleet-agent*@*' | cut -d' ' -f1")).Trim());
        await _fleet.Machine.ShellAsync("systemctl kill -s KILL fleet-sidecar");
        await _fleet.UpOrAtWorkAsync();
        Assert.Equal(Fleet.PidOf(run), Fleet.PidOf(Assert.Single(await _fleet.RunningAsync())));
        _fleet.Go();
        await _fleet.WaitForAsync(task, "completed");
        Assert.Single(_fleet.Executions);
        Assert.Equal("", (await _fleet.Machine.ShellAsync("ls /var/lib/fleet-sidecar/slots")).Trim());
    }

    // The claim names the user and the network: without it a step ran as the user beside the slots, whose network nothing closes.
    [Fact]
    public async Task A_step_of_a_run_that_lost_its_claim_has_the_network_of_its_profile()
    {
        _fleet.Machine.Write("/usr/local/bin/step", $"#!/bin/bash\ntouch {Fleet.Shared}/at-step\nuntil [ -e {Fleet.Shared}/step-go ]; do sleep 0.1; done\nexec timeout 2 bash -c ': >/dev/tcp/127.0.0.1/7070'\n", (UnixFileMode)0x1ed);
        _fleet.AgentDoes("fleet-sidecar task start; echo x >x; git add x; git commit -qm x; fleet-sidecar task complete");
        await UseAsync("none");
        var task = await _fleet.SubmitAsync("\"repo\": \"git://127.0.0.1/app.git\", \"verification_steps\": [{ \"type\": \"command\", \"target\": \"/usr/local/bin/step\" }]");
        await Wait.ForAsync(async () => (await _fleet.Machine.ShellAsync($"ls {Fleet.Shared}")).Contains("at-step", StringComparison.Ordinal) ? new object() : null, "the step", TimeSpan.FromMinutes(1));

        await _fleet.Machine.ShellAsync($"systemctl kill -s KILL fleet-sidecar; rm -f /var/lib/fleet-sidecar/slots/* {Fleet.Shared}/at-step");
        await _fleet.UpOrAtWorkAsync();
        await _fleet.Machine.ShellAsync($"touch {Fleet.Shared}/step-go");

        Assert.Contains("verification", (await _fleet.WaitForAsync(task, "dead_letter")).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none", "PrivateNetwork=no", "no network of its own")]
    [InlineData("list", "IPAddressDeny=", "does not bound a unit's network")]
    public async Task Where_the_service_manager_does_not_close_the_network_no_agent_starts(string policy, string opened, string reason)
    {
        _fleet.AgentDoes(Look);
        await UseAsync(policy);
        var unit = $"/etc/systemd/system/fleet-agent-{policy}-@.service.d";
        await _fleet.Machine.ShellAsync($"mkdir -p {unit}; printf '[Service]\n{opened}\n' >{unit}/open.conf; systemctl daemon-reload");

        var task = await _fleet.WaitForAsync(await _fleet.SubmitAsync("\"priority\": \"normal\""), "dead_letter");

        Assert.Contains("did not start", task.ToString(), StringComparison.Ordinal);
        Assert.Contains(reason, await _fleet.JournalAsync("-u", $"fleet-agent-{policy}-*@*"), StringComparison.Ordinal);
    }

    private async Task UseAsync(string policy)
    {
        var before = await ReloadsAsync();
        await _fleet.Machine.ShellAsync($"sed -i 's/\"name\": \"main\",\\( \"network\": \"[a-z]*\",\\)\\?/\"name\": \"main\", \"network\": \"{policy}\",/' {Fleet.Config}; systemctl reload fleet-sidecar");
        await Wait.ForAsync(async () => await ReloadsAsync() != before ? new object() : null, "the configuration to be read again");
    }

    private async Task<string> ReloadsAsync() => await _fleet.Machine.ShellAsync("journalctl -q -u fleet-sidecar | grep -c ConfigReloaded || :");

    private async Task<string> SaysAsync(string policy)
    {
        await UseAsync(policy);
        return (await _fleet.WaitForAsync(await _fleet.SubmitAsync("\"priority\": \"normal\""), "completed")).GetProperty("result").GetProperty("output").GetString()!;
    }

    [GeneratedRegex("""^# (?<file>/etc/systemd/system/fleet-agent-list-@\.service\.d/allow\.conf)\n(?<text>\[Service\]\nIPAddressAllow=[^\n]+\n)""", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Documented();
}
