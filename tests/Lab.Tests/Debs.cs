namespace FleetSidecar.Lab;

/// <summary>The packages that <c>scripts/deb.sh</c> made, and their installation as people do it.</summary>
internal static class Debs
{
    /// <summary>Where a later version lies, seen from a machine.</summary>
    public const string Next = "/deb/next";

    /// <summary>Skips the test where there are no packages.</summary>
    public static void Need(bool next = false)
    {
        var directory = next ? Path.Combine(Machine.Packages, "next") : Machine.Packages;
        foreach (var name in new[] { "fleet-sidecar", "fleet-hub" })
        {
            Assert.SkipWhen(!Directory.Exists(directory) || Directory.GetFiles(directory, $"{name}_*.deb").Length == 0, $"there is no {name}_*.deb in {directory}; run scripts/deb.sh");
        }
    }

    /// <summary>Installs, upgrades or downgrades both; what apt said.</summary>
    public static Task<string> InstallAsync(this Machine machine, string from = "/deb") =>
        machine.AptAsync($"install --allow-downgrades {from}/fleet-sidecar_*_$(dpkg --print-architecture).deb {from}/fleet-hub_*_$(dpkg --print-architecture).deb");

    public static Task<string> AptAsync(this Machine machine, string line) => machine.ShellAsync($"apt-get -q -y -o Dpkg::Use-Pty=0 {line} 2>&1");
}
