using System.Globalization;
using System.Text.RegularExpressions;

namespace FleetSidecar.Lab;

/// <summary>Both packages through the life that they have on a machine: install, upgrade, remove, purge, by real apt under a real systemd.</summary>
public sealed partial class PackageTests
{
    private const double MostExposure = 2.0;

    [Fact(Timeout = 300_000)]
    public async Task Installed_packages_run_at_once_and_everything_is_in_the_right_hands()
    {
        Debs.Need();
        await using var machine = await Machine.BootAsync();
        var said = await machine.InstallAsync();

        Assert.Contains("fleet-sidecar setup --hub URL", said, StringComparison.Ordinal);
        foreach (var unit in new[] { "fleet-sidecar.service", "fleet-hub.service" })
        {
            Assert.Equal("enabled", (await machine.RunAsync("systemctl", "is-enabled", unit)).Trim());
            Assert.Equal("active", await machine.PropertyAsync(unit, "ActiveState"));
        }

        Assert.Contains("fleet-sidecar setup", await machine.PropertyAsync("fleet-sidecar", "StatusText"), StringComparison.Ordinal);
        Assert.Equal("running", (await machine.RunAsync("systemctl", "is-system-running")).Trim());
        Assert.Equal("fleet-sidecar fleet-hub", (await machine.ShellAsync("ps -o user:20= -p $(systemctl show -P MainPID fleet-sidecar),$(systemctl show -P MainPID fleet-hub) | sort -r | xargs")).Trim());
        Assert.Equal("", await machine.ShellAsync("dpkg --verify fleet-sidecar fleet-hub"));

        foreach (var expected in new[]
        {
            "root:fleet-sidecar 750 /etc/fleet-sidecar", "fleet-sidecar:fleet-sidecar 700 /var/lib/fleet-sidecar", "fleet-agent:fleet-agent 700 /var/lib/fleet-agent", "root:root 755 /var/lib/fleet-agents", "root:fleet-agents 750 /var/lib/fleet-agents/common", "fleet-agent-16:fleet-agent-16 700 /var/lib/fleet-agents/16",
            "root:root 755 /usr/lib/fleet-sidecar/fleet-sidecar", "root:root 644 /usr/lib/fleet-hub/fleet-hub.dll", "root:root 644 /usr/share/polkit-1/rules.d/50-fleet-sidecar.rules",
            "root:root 644 /etc/default/fleet-hub", "fleet-hub:fleet-hub 750 /var/lib/fleet-hub", "root:root 644 /usr/share/bash-completion/completions/fleet-sidecar",
            "root:root 644 /usr/share/zsh/vendor-completions/_fleet-hub", "root:root 644 /usr/share/fish/vendor_completions.d/fleet-hub.fish", "root:root 644 /usr/share/man/man1/fleet-sidecar.1.gz",
            "root:root 644 /usr/share/man/man1/fleet-hub.1.gz", "root:root 644 /usr/share/man/man5/fleet-sidecar.json.5.gz", "root:root 644 /usr/share/doc/fleet-hub/copyright",
        })
        {
            Assert.Equal(expected, (await machine.ShellAsync($"stat -c '%U:%G %a %n' {expected.Split(' ')[2]} 2>&1 || :")).Trim());
        }

        // Nobody but root can change what runs, and no user is in another one's group but in that of what all agents are given.
        Assert.Equal("", await machine.ShellAsync("find $(dpkg -L fleet-sidecar fleet-hub) -maxdepth 0 ! -type l ! -path /usr/share/polkit-1/rules.d \\( -perm /022 -o ! -user root \\)"));
        Assert.Equal("fleet-agent fleet-agents\nfleet-agent-2 fleet-agents\nfleet-hub\nfleet-sidecar", (await machine.ShellAsync("for user in fleet-agent fleet-agent-2 fleet-hub fleet-sidecar; do id -Gn $user; done")).Trim());
        Assert.Matches(@"^\d+\.\d+\.\d+$", (await machine.ShellAsync("fleet-sidecar --version; fleet-hub --version")).Split('\n').Distinct().Single(line => line.Length > 0));
    }

    [Fact(Timeout = 300_000)]
    public async Task Every_unit_is_verified_without_a_word_and_daemons_and_agents_are_exposed_by_at_most_2()
    {
        Debs.Need();
        await using var machine = await Machine.BootAsync();
        await machine.InstallAsync();

        // Templates are verified as instances. There is no man in the lab.
        Assert.Equal("", await machine.ShellAsync("systemd-analyze --man=no verify $(dpkg -L fleet-sidecar fleet-hub | grep '/systemd/system/[^/]*$' | sed 's|.*/||; s|@\\.|@run_0123456789ab.|') 2>&1"));
        foreach (var unit in new[] { "fleet-sidecar.service", "fleet-sidecar@x.service", "fleet-hub.service", "fleet-agent@run_0123456789ab.service", "fleet-agent-16@run_0123456789ab.service" })
        {
            var exposure = Exposure().Match(await machine.RunAsync("systemd-analyze", "security", "--no-pager", unit));
            Assert.True(double.Parse(exposure.Groups["number"].Value, CultureInfo.InvariantCulture) <= MostExposure, $"{unit}: {exposure.Value}");
        }
    }

    [Fact(Timeout = 300_000)]
    public async Task L25_An_upgrade_restarts_the_daemons_and_no_agent()
    {
        Debs.Need(next: true);
        await using var machine = await Machine.BootAsync();
        await machine.InstallAsync();
        await AgentAtWorkAsync(machine);
        await machine.ShellAsync("systemctl enable --now fleet-sidecar@two 2>&1; echo '# mine' >> /etc/default/fleet-hub; echo kept > /var/lib/fleet-sidecar/data");
        var daemons = await PidsAsync(machine, "fleet-sidecar", "fleet-sidecar@two", "fleet-hub");
        var agent = await PidsAsync(machine, "fleet-agent-3@run_0123456789ab");

        await machine.InstallAsync(Debs.Next);

        Assert.Equal("0.1.1\n0.1.1", (await machine.ShellAsync("fleet-sidecar --version; fleet-hub --version")).Trim());
        Assert.Equal(agent, await PidsAsync(machine, "fleet-agent-3@run_0123456789ab"));
        Assert.Empty(daemons.Intersect(await PidsAsync(machine, "fleet-sidecar", "fleet-sidecar@two", "fleet-hub")));
        Assert.Equal("active\nactive\nactive\nactive", (await machine.RunAsync("systemctl", "is-active", "fleet-sidecar", "fleet-sidecar@two", "fleet-hub", "fleet-agents.slice")).Trim());
        Assert.Equal("# mine\nkept", (await machine.ShellAsync("tail -n 1 /etc/default/fleet-hub; cat /var/lib/fleet-sidecar/data")).Trim());

        // A library's upgrade restarts what uses it, but for these. As needrestart reads its settings.
        Assert.Equal("fleet-sidecar.service fleet-sidecar@two.service fleet-agent@run_1.service fleet-agent-12@run_1.service", (await machine.ShellAsync("""
            perl -e 'do "/etc/needrestart/conf.d/fleet-sidecar.conf"; foreach my $unit (@ARGV) { foreach my $rule (keys %{$nrconf{override_rc}}) { print "$unit " if $unit =~ /$rule/ && !$nrconf{override_rc}{$rule} } }' \
              fleet-sidecar.service fleet-sidecar@two.service fleet-agent@run_1.service fleet-agent-12@run_1.service fleet-hub.service ssh.service
            """)).Trim());
    }

    [Fact(Timeout = 300_000)]
    public async Task What_an_administrator_disabled_or_masked_stays_so_through_an_upgrade()
    {
        Debs.Need(next: true);
        await using var machine = await Machine.BootAsync();
        await machine.InstallAsync();
        await machine.ShellAsync("systemctl disable --now fleet-sidecar 2>&1; systemctl mask --now fleet-hub 2>&1");

        await machine.InstallAsync(Debs.Next);

        Assert.Equal("disabled\nmasked", (await machine.ShellAsync("systemctl is-enabled fleet-sidecar fleet-hub || :")).Trim());
        Assert.Equal("inactive\ninactive", (await machine.ShellAsync("systemctl is-active fleet-sidecar fleet-hub || :")).Trim());
        await machine.ShellAsync("systemctl enable --now fleet-sidecar 2>&1; systemctl unmask fleet-hub 2>&1; systemctl start fleet-hub");
        await machine.InstallAsync();
        Assert.Equal("active\nactive", (await machine.ShellAsync("systemctl is-active fleet-sidecar fleet-hub")).Trim());
    }

    [Fact(Timeout = 300_000)]
    public async Task Remove_stops_everything_and_keeps_what_was_made_and_purge_leaves_nothing()
    {
        Debs.Need();
        await using var machine = await Machine.BootAsync();
        var before = await FilesAsync(machine);
        await machine.InstallAsync();
        await AgentAtWorkAsync(machine);
        await machine.ShellAsync("""
            systemctl enable --now fleet-sidecar@two 2>&1
            echo '{}' > /etc/fleet-sidecar/kept; echo secret > /var/lib/fleet-agent/kept; echo rows > /var/lib/fleet-sidecar/kept; echo '# mine' >> /etc/default/fleet-hub
            systemctl set-property fleet-agents.slice MemoryMax=90%
            """);

        Assert.Contains("stopping 1 agent", await machine.AptAsync("remove fleet-sidecar fleet-hub"), StringComparison.Ordinal);
        Assert.Equal("", await machine.ShellAsync("ps -o pid= -u fleet-sidecar,fleet-agent,fleet-agent-3,fleet-hub || :"));
        Assert.Equal("{}\nsecret\nrows\n# mine", (await machine.ShellAsync("cat /etc/fleet-sidecar/kept /var/lib/fleet-agent/kept /var/lib/fleet-sidecar/kept; tail -n 1 /etc/default/fleet-hub")).Trim());
        Assert.Equal("running", (await machine.RunAsync("systemctl", "is-system-running")).Trim());

        await machine.InstallAsync();
        Assert.Equal("active\nactive\nrows", (await machine.ShellAsync("systemctl is-active fleet-sidecar fleet-hub; cat /var/lib/fleet-sidecar/kept")).Trim());
        await machine.ShellAsync("systemctl mask fleet-hub 2>&1; systemctl disable fleet-sidecar 2>&1");
        await machine.AptAsync("purge fleet-sidecar fleet-hub");

        Assert.Empty((await FilesAsync(machine)).Except(before));
        Assert.Equal("fleet-agent\nfleet-agent-N\nfleet-hub\nfleet-sidecar", (await machine.ShellAsync("getent passwd | sed -n 's/^\\(fleet-[^:]*\\):.*/\\1/p' | sed 's/-[0-9]*$/-N/' | sort | uniq")).Trim()); // Their numbers must not be given to others.
        Assert.Equal("", await machine.ShellAsync("systemctl list-units --all --plain --no-legend 'fleet-*'"));
        Assert.Equal("running", (await machine.RunAsync("systemctl", "is-system-running")).Trim());
    }

    [Fact(Timeout = 300_000)]
    public async Task Lintian_finds_no_error_and_no_warning()
    {
        const string Lintian = "/usr/bin/lintian";
        Debs.Need();
        Assert.SkipWhen(!File.Exists(Lintian), "lintian is not installed");

        foreach (var package in Directory.GetFiles(Machine.Packages, "*.deb"))
        {
            var (code, text) = await TestProgram.RunAsync(Lintian, ["--allow-root", "--fail-on", "error,warning", package]);
            Assert.True(code == 0, text);
        }
    }

    // A unit as the sidecar starts them, but for what it does: nothing of an upgrade may touch it.
    private static async Task AgentAtWorkAsync(Machine machine)
    {
        machine.Write("/etc/systemd/system/fleet-agent-3@run_0123456789ab.service", """
            [Service]
            Slice=fleet-agents.slice
            User=fleet-agent-3
            ExecStart=/bin/sleep 3600
            """);
        await machine.ShellAsync("systemctl daemon-reload; systemctl start fleet-agent-3@run_0123456789ab");
    }

    private static async Task<string[]> PidsAsync(Machine machine, params string[] units)
    {
        var pids = (await machine.RunAsync(["systemctl", "show", "-P", "MainPID", .. units])).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(units.Length, pids.Length);
        Assert.DoesNotContain("0", pids);
        return pids;
    }

    // What package management and the machine itself keep is theirs: lists, logs, caches, accounts.
    private static async Task<HashSet<string>> FilesAsync(Machine machine) =>
        [.. (await machine.ShellAsync("""
            find / -xdev \( -path /proc -o -path /sys -o -path /deb -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg/info/format \) -prune -o -print
            find /run -xdev ! -path '/run/systemd/*' ! -path '/run/user/*' ! -path '/run/log/*'
            find /run/systemd/system /run/systemd/transient /run/systemd/generator /run/systemd/system.control 2> /dev/null || :
            """)).Split('\n').Where(file => !Theirs().IsMatch(file))];

    [GeneratedRegex(@"Overall exposure level for \S+: (?<number>[\d.]+)")]
    private static partial Regex Exposure();

    [GeneratedRegex(@"^/(var/log/(apt|dpkg|alternatives|journal)|var/lib/dpkg/|etc/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd)|run/(lock|mount|utmp|dbus|initctl))")]
    private static partial Regex Theirs();
}
