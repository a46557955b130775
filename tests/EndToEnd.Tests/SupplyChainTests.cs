using System.IO.Compression;
using System.Text.RegularExpressions;

namespace FleetSidecar.EndToEnd;

/// <summary>What gets into a published program is what eng/locks names, from one source; advisories are asked for.</summary>
public sealed class SupplyChainTests : IDisposable
{
    private readonly TempDir _directory = new();

    private string Checkout => _directory["checkout"];

    public void Dispose() => _directory.Dispose();

    [Theory(Timeout = 300_000)]
    [InlineData("linux-*/Sidecar.json", "Serilog.Sinks.File", "NU1403")]
    [InlineData("linux-*/Sidecar.Ground.json", "SQLitePCLRaw.lib.e_sqlite3", "NU1403")]
    [InlineData("packs", "Microsoft.NETCore.App.Runtime.linux-x64", "is not in eng/locks/packs")]
    [InlineData("packs", "Microsoft.NETCore.App.Runtime.NativeAOT.linux-x64", "is not in eng/locks/packs")]
    public async Task A_package_that_is_not_the_one_that_was_locked_ends_a_publish_before_it_builds(string files, string package, string reason)
    {
        CopyProjects();
        foreach (var file in Directory.GetFiles($"{Checkout}/eng/locks", Path.GetFileName(files), SearchOption.AllDirectories))
        {
            var text = File.ReadAllText(file);
            var other = Hash(package).Replace(text, match => match.Value[..^4] + "AAAA");
            Assert.True(files != "packs" || other != text, $"{package} is not in {file}");
            File.WriteAllText(file, other);
        }

        var (code, said) = await TestProgram.RunAsync($"{Checkout}/scripts/publish.sh", ["--output", _directory["out"]], environment: null);

        Assert.True(code == 1, said);
        Assert.Contains(reason, said, StringComparison.Ordinal);
        Assert.Contains(package, said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["out"]), said);
    }

    [Fact(Timeout = 300_000)]
    public async Task A_package_comes_from_no_other_source_that_a_machine_knows()
    {
        CopyProjects();
        var extra = $"Fleet.Extra{Guid.NewGuid():N}"; // What was restored once is known to a machine for ever.
        using (var package = ZipFile.Open(_directory[$"other/{extra}.1.0.0.nupkg"], ZipArchiveMode.Create))
        {
            using var writer = new StreamWriter(package.CreateEntry($"{extra}.nuspec").Open());
            writer.Write($"<package><metadata><id>{extra}</id><version>1.0.0</version><authors>a</authors><description>d</description></metadata></package>");
        }

        // Above the checkout, as a machine's own configuration is.
        _directory.Write("nuget.config", $"""<configuration><packageSources><add key="other" value="{_directory["other"]}" /></packageSources></configuration>""");
        var props = $"{Checkout}/Directory.Packages.props";
        File.WriteAllText(props, File.ReadAllText(props).Replace("</ItemGroup>", $"""<PackageVersion Include="{extra}" Version="1.0.0" /></ItemGroup>""", StringComparison.Ordinal));
        var project = $"{Checkout}/src/Sidecar.Protocol/Sidecar.Protocol.csproj";
        File.WriteAllText(project, File.ReadAllText(project).Replace("</Project>", $"""<ItemGroup><PackageReference Include="{extra}" /></ItemGroup></Project>""", StringComparison.Ordinal));

        var (code, said) = await TestProgram.RunAsync("dotnet", ["restore", project, "-p:RestoreLockedMode=false"], environment: null);

        Assert.True(code != 0, said);
        Assert.Contains(extra, said, StringComparison.Ordinal);
        Assert.Contains("PackageSourceMapping", said, StringComparison.Ordinal);
    }

    [Theory(Timeout = 300_000)]
    [InlineData("serilog", 1, "GHSA-0000-0000-0001")]
    [InlineData("another.package", 0, "no package of the solution has a known vulnerability")]
    public async Task An_audit_tells_what_a_source_knows(string vulnerable, int expected, string line)
    {
        await using var source = await AdvisorySource.StartAsync(vulnerable, "https://advisories.example/GHSA-0000-0000-0001");

        var (code, said) = await TestProgram.RunAsync($"{TestProgram.Root}/scripts/audit.sh", ["--source", source.Index], environment: null);

        Assert.True(code == expected, said);
        Assert.Contains(line, said, StringComparison.Ordinal);
        Assert.Equal(expected == 1, said.Contains("Serilog", StringComparison.Ordinal));
    }

    [Fact(Timeout = 300_000)]
    public async Task An_audit_of_a_source_without_advisories_does_not_say_that_all_is_well()
    {
        await using var source = await AdvisorySource.StartAsync(vulnerable: null, "");

        var (code, said) = await TestProgram.RunAsync($"{TestProgram.Root}/scripts/audit.sh", ["--source", source.Index], environment: null);

        Assert.True(code == 69, said);
        Assert.Contains($"{source.Index} gives no advisories", said, StringComparison.Ordinal);
    }

    private static Regex Hash(string package) => new($"(?s){Regex.Escape(package)}\"?(?: [0-9.]+ |: {{.{{0,200}}?\"contentHash\": \")[A-Za-z0-9+/]{{80,}}");

    /// <summary>All that a restore reads, and no source code.</summary>
    private void CopyProjects()
    {
        string[] wanted = ["Directory.Build.props", "Directory.Packages.props", "global.json", "nuget.config", "eng", "scripts"];
        foreach (var file in wanted.SelectMany(name => Directory.Exists($"{TestProgram.Root}/{name}") ? Directory.GetFiles($"{TestProgram.Root}/{name}", "*", SearchOption.AllDirectories) : [$"{TestProgram.Root}/{name}"])
            .Concat(Directory.GetDirectories($"{TestProgram.Root}/src").SelectMany(directory => Directory.GetFiles(directory, "*.csproj"))))
        {
            var copy = Path.Combine(Checkout, Path.GetRelativePath(TestProgram.Root, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        Directory.CreateDirectory(_directory["other"]);
    }
}
