using System.Text.Json;

namespace FleetSidecar.Lab;

/// <summary>A machine with both packages installed, a git server and an agent: everything as an operator would have it.</summary>
internal sealed class Fleet(Machine machine) : IAsyncDisposable
{
    /// <summary>Where agents of the tests find and leave files, whatever user they are: a drop-in opens it.</summary>
    public const string Shared = "/srv/shared";

    public const string Token = "/etc/fleet-sidecar/hub-token", Config = "/etc/fleet-sidecar/sidecar.json";

    private const string Hub = "http://127.0.0.1:7070";

    public Machine Machine => machine;

    /// <summary>Boots, installs, enrols by hand and waits until the hub may send work.</summary>
    /// <param name="keepsDisk">For tests that start the machine anew.</param>
    /// <param name="config">More members of the configuration, as JSON without braces.</param>
    /// <param name="binds">More of this machine that is seen in there: <c>from:to[:ro]</c>.</param>
    public static async Task<Fleet> StartAsync(bool keepsDisk = false, string config = "", params string[] binds)
    {
        var fleet = new Fleet(await Machine.BootAsync(keepsDisk, binds));
        try
        {
            await fleet.InstallAsync();
            await fleet.EnrolAsync(config);
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync(); // A machine that nobody has would run on.
            throw;
        }
    }

    public async Task InstallAsync(string from = "/deb")
    {
        var found = Directory.Exists(Machine.Packages) ? Directory.GetFiles(Machine.Packages, "*.deb").Length : 0;
        Assert.True(found > 0, "there are no packages; run scripts/deb.sh first");
        await machine.ShellAsync($"apt-get -qq -y -o Dpkg::Use-Pty=0 install {from}/fleet-sidecar_*_$(dpkg --print-architecture).deb {from}/fleet-hub_*_$(dpkg --print-architecture).deb 2>&1");
        await machine.ShellAsync("""
            mkdir -p /srv/git && cd /tmp && git init -q -b main seed && cd seed && echo hello >README && git add . && git -c user.name=t -c user.email=t@example.org commit -qm first
            git clone -q --bare /tmp/seed /srv/git/app.git && rm -rf /tmp/seed && chown -R nobody /srv/git
            printf '[Service]\nUser=nobody\nExecStart=/usr/bin/git daemon --listen=127.0.0.1 --export-all --enable=receive-pack --base-path=/srv/git /srv/git\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/git-daemon.service
            systemctl enable -q --now git-daemon
            mkdir -p -m 777 /srv/shared; touch /srv/shared/executions; chmod 666 /srv/shared/executions
            for unit in fleet-agent@ fleet-agent-@; do mkdir -p /etc/systemd/system/$unit.service.d; printf '[Service]\nReadWritePaths=-/srv/shared\n' >/etc/systemd/system/$unit.service.d/shared.conf; done
            systemctl daemon-reload
            """);
    }

    /// <summary>What <c>fleet-sidecar setup</c> does, by hand: token, configuration, restart.</summary>
    public async Task EnrolAsync(string config = "", string agent = "iris", string directory = "/etc/fleet-sidecar", string unit = "fleet-sidecar")
    {
        machine.Write("/usr/local/bin/agent", $"#!/bin/sh\n. {Shared}/agent.sh\n", (UnixFileMode)0x1ed);
        await machine.ShellAsync($"mkdir -p {directory}; umask 077; fleet-hub token create {agent} --data /var/lib/fleet-hub >{directory}/hub-token");
        machine.Write($"{directory}/sidecar.json", $$"""
            { "agent": { "id": "{{agent}}", "maxConcurrentRuns": 2 }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "{{directory}}/hub-token" },
              "wake": { "profiles": [ { "name": "main", "command": ["/usr/local/bin/agent"], "aliveFor": "00:00:00.2" } ] },
              "stateDirectory": "/var/lib/fleet-sidecar{{(directory == "/etc/fleet-sidecar" ? "" : $"-instances/{agent}")}}"{{(config.Length > 0 ? ",\n" + config : "")}} }
            """);
        await machine.ShellAsync($"chmod 755 {directory}; chgrp fleet-sidecar {directory}/sidecar.json; chmod 640 {directory}/sidecar.json; systemctl restart {unit}");
        await UpAsync(agent);
    }

    /// <summary>As an operator does it: one command, which ends well only after a task went from the hub to a process here and back.</summary>
    public async Task<string> SetUpAsync()
    {
        machine.Write("/usr/local/bin/agent", $"#!/bin/sh\n. {Shared}/agent.sh\n", (UnixFileMode)0x1ed);
        await machine.ShellAsync("fleet-hub token create workers --role enrol --data /var/lib/fleet-hub >/root/key");
        var said = await machine.RunAsync("fleet-sidecar", "setup", "--hub", "ws://127.0.0.1:7070/ws", "--enrol", "@/root/key", "--agent", "iris", "--agent-command", "/usr/local/bin/agent");
        await UpAsync();
        return said;
    }

    public Task UpAsync(string agent = "iris") =>
        Wait.UntilAsync(() => Try(() => Agent(agent).GetProperty("status").GetString()) == "idle", $"the hub to count {agent} as idle", TimeSpan.FromSeconds(60));

    /// <summary>After a boot: the hub hears the sidecar again, whatever it is doing.</summary>
    public Task UpOrAtWorkAsync() =>
        Wait.UntilAsync(() => Try(() => Agent("iris").GetProperty("status").GetString()) is "idle" or "working", "the hub to hear the sidecar", TimeSpan.FromSeconds(90));

    /// <summary>What the next agents do: lines of shell, as the agents' user in the workspace.</summary>
    public void AgentDoes(string lines) => machine.Write($"{Shared}/agent.sh", lines.ReplaceLineEndings("\n") + "\n", (UnixFileMode)0x1a4);

    /// <summary>Says that the task has arrived, waits for a file <c>go</c>, commits and says that it is done.</summary>
    public const string Worker = $$"""
        echo "$$ $FLEET_TASK_ID $FLEET_GENERATION" >>{{Shared}}/executions
        fleet-sidecar task start
        while [ ! -e {{Shared}}/go ]; do sleep 0.1; done
        if [ -d .git ]; then echo done >"$FLEET_TASK_ID.txt"; git add --all; git commit -qm "Do $FLEET_TASK_ID"; fi
        fleet-sidecar task complete --output "done by $$"
        """;

    public void Go() => machine.Write($"{Shared}/go", "");

    public string[] Executions => File.Exists(machine.Root + $"{Shared}/executions") ? File.ReadAllLines(machine.Root + $"{Shared}/executions") : [];

    /// <summary>Submits a task; members beside its description are JSON without braces.</summary>
    public async Task<string> SubmitAsync(string more = "\"repo\": \"git://127.0.0.1/app.git\"", string retries = "0", string description = "do it")
    {
        await machine.ShellAsync("[ -s /root/operator ] || fleet-hub token create operator --role operator --data /var/lib/fleet-hub >/root/operator");
        machine.Write("/root/task.json", $$"""{ "description": {{JsonSerializer.Serialize(description)}}, "max_retries": {{retries}}, {{more}} }""");
        return JsonDocument.Parse(await ApiAsync("POST", "/api/tasks", "-H", "Content-Type: application/json", "--data-binary", "@/root/task.json")).RootElement.GetProperty("task_id").GetString()!;
    }

    public JsonElement Task(string id) => JsonDocument.Parse(ApiAsync("GET", $"/api/tasks/{id}").GetAwaiter().GetResult()).RootElement;

    public JsonElement Agent(string id) =>
        JsonDocument.Parse(ApiAsync("GET", "/api/agents").GetAwaiter().GetResult()).RootElement.GetProperty("agents").EnumerateArray().First(agent => agent.GetProperty("agent_id").GetString() == id);

    public async Task<JsonElement> WaitForAsync(string task, string status, TimeSpan? limit = null)
    {
        try
        {
            await Wait.UntilAsync(() => Try(() => Task(task).GetProperty("status").GetString()) == status, $"{task} to be {status}", limit ?? TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message}\n{Task(task)}\n{await machine.ShellAsync("journalctl --no-pager -o cat -u fleet-sidecar -u 'fleet-agent*@*' -n 60")}");
        }

        return Task(task);
    }

    public async Task<JsonElement> StatusAsync() => JsonDocument.Parse(await machine.RunAsync("fleet-sidecar", "status", "--json")).RootElement;

    /// <summary>The runs that are open, once there are so many and each has an agent.</summary>
    public async Task<JsonElement[]> RunningAsync(int count = 1)
    {
        JsonElement[] runs = [];
        await Wait.UntilAsync(() => (runs = Try(() => StatusAsync().GetAwaiter().GetResult().GetProperty("runs").EnumerateArray().Where(run => run.GetProperty("state").GetString() == "working").ToArray()) ?? []).Length == count,
            $"{count} agents at work");
        return runs;
    }

    /// <summary>The unit of an agent that works alone: the lowest slot is taken first.</summary>
    public static string UnitOf(JsonElement run) => $"fleet-agent-1@{run.GetProperty("run_id").GetString()}.service";

    public static int PidOf(JsonElement run) => run.GetProperty("pid").GetInt32();

    public Task<string> JournalAsync(params string[] matches) => machine.RunAsync(["journalctl", "--no-pager", "-o", "cat", .. matches]);

    public ValueTask DisposeAsync() => machine.DisposeAsync();

    private Task<string> ApiAsync(string method, string path, params string[] more) =>
        machine.ShellAsync($"[ -s /root/operator ] || fleet-hub token create operator --role operator --data /var/lib/fleet-hub >/root/operator; curl -sS --fail-with-body -X {method} -H \"Authorization: Bearer $(cat /root/operator)\" {string.Join(' ', more.Select(word => $"'{word}'"))} {Hub}{path}");

    // While a hub or a sidecar starts there may be no answer, or half of one.
    private static T? Try<T>(Func<T> look)
    {
        try
        {
            return look();
        }
        catch (Exception fault) when (fault is InvalidOperationException or JsonException or KeyNotFoundException)
        {
            return default;
        }
    }
}
