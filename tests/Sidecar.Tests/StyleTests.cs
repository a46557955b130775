using System.Text.RegularExpressions;

namespace FleetSidecar.Tests;

/// <summary>What the documents promise about the code, read off the code: arrows between folders, one package one folder, events, file lengths.</summary>
public sealed partial class StyleTests
{
    private static readonly string Source = Path.Combine(TestProgram.Root, "src");

    [Fact]
    public void The_folders_of_the_sidecar_use_each_other_only_as_the_table_in_the_architecture_says()
    {
        var table = TableRow().Matches(File.ReadAllText(Path.Combine(TestProgram.Root, "ARCHITECTURE.md")))
            .ToDictionary(row => row.Groups["folder"].Value, row => Word().Matches(row.Groups["uses"].Value).Select(word => word.Value).ToHashSet());
        Assert.NotEmpty(table);

        foreach (var folder in Directory.GetDirectories(Path.Combine(Source, "Sidecar")).Select(path => Path.GetFileName(path)!).Where(name => name != "Migrations"))
        {
            var used = Directory.GetFiles(Path.Combine(Source, "Sidecar", folder), "*.cs")
                .SelectMany(file => OwnUsing().Matches(File.ReadAllText(file)).Select(match => match.Groups["folder"].Value))
                .Where(name => name is not ("Ground" or "Protocol" or "Configuration") && name != folder)
                .ToHashSet();
            Assert.True(table.TryGetValue(folder, out var allowed), $"{folder} is not in the table of ARCHITECTURE.md");
            Assert.True(used.SetEquals(allowed), $"{folder} uses {string.Join(", ", used.Order())}; ARCHITECTURE.md says {string.Join(", ", allowed.Order())}");
        }
    }

    [Theory]
    [InlineData("Microsoft.Data.Sqlite", "Storage")]
    [InlineData("SQLitePCL", "Storage")]
    [InlineData("Serilog", "Logs")]
    public void Each_package_appears_in_one_folder_of_the_ground(string package, string folder) =>
        Assert.All(Files(Source).Where(file => Regex.IsMatch(File.ReadAllText(file), $@"^using {Regex.Escape(package)}\b", RegexOptions.Multiline)),
            file => Assert.Contains($"/Sidecar.Ground/{folder}/", file, StringComparison.Ordinal));

    [Fact]
    public void The_command_line_library_appears_only_where_commands_are()
    {
        foreach (var file in Files(Source).Where(file => File.ReadAllText(file).Contains("using System.CommandLine;", StringComparison.Ordinal)))
        {
            Assert.True(file.Contains("/Cli/", StringComparison.Ordinal) || file.Contains("/CommandLine/", StringComparison.Ordinal) || file.EndsWith("Hub/Program.cs", StringComparison.Ordinal), file);
        }
    }

    [Fact]
    public void The_wire_has_no_package_and_does_no_io()
    {
        Assert.DoesNotContain("PackageReference", File.ReadAllText(Path.Combine(Source, "Sidecar.Protocol", "Sidecar.Protocol.csproj")), StringComparison.Ordinal);
        Assert.All(Files(Path.Combine(Source, "Sidecar.Protocol")), file => Assert.DoesNotMatch(@"\b(File|Socket|Process|Console|Directory)\.", File.ReadAllText(file)));
    }

    [Fact]
    public void Every_http_client_and_socket_is_made_where_redirections_and_foreign_proxies_are_off()
    {
        foreach (var file in Files(Source).Where(file => !file.EndsWith("/Sockets/OneOrigin.cs", StringComparison.Ordinal)))
        {
            var text = File.ReadAllText(file);

            Assert.False(Regex.IsMatch(text, @"new (SocketsHttpHandler|HttpClientHandler|HttpMessageInvoker)\b|new HttpClient\((?!OneOrigin\.)|HttpClient \w+ = new\((?!OneOrigin\.)"), file);
            Assert.True(!text.Contains("new ClientWebSocket(", StringComparison.Ordinal) || text.Contains("OneOrigin.ConnectAsync(", StringComparison.Ordinal), file);
        }
    }

    [Fact]
    public void What_the_programs_print_passes_the_one_place_that_shows_control_characters() =>
        Assert.Equal(["Terminal.cs"], Files(Source).Where(file => Regex.IsMatch(File.ReadAllText(file), @"\bConsole\.(Out|Error|Write|Open)")).Select(Path.GetFileName));

    [Fact]
    public void Every_event_has_its_own_number_is_logged_under_its_name_and_stands_in_the_operations_page()
    {
        var page = EventRow().Matches(File.ReadAllText(Path.Combine(TestProgram.Root, "docs", "operations.md")))
            .Select(row => (Number: row.Groups["number"].Value, Name: row.Groups["name"].Value)).ToHashSet();
        var code = string.Concat(Files(Source).Select(File.ReadAllText));
        var lists = string.Concat(Files(Source).Where(file => Path.GetFileName(file) is "EventIds.cs" or "HubEvents.cs" or "GroundEvents.cs").Select(File.ReadAllText));
        var events = EventConstant().Matches(lists).Select(match => (Number: match.Groups["number"].Value, Name: match.Groups["name"].Value)).ToList();

        Assert.Equal(events.Count, events.Select(one => one.Number).Distinct().Count());
        Assert.Equal(events.Order(), page.Order());
        foreach (var (_, name) in events)
        {
            var uses = Regex.Count(code, $@"LoggerMessage\((EventIds|HubEvents|GroundEvents)\.{name},");
            Assert.True(uses > 0, $"{name} is never logged");
            Assert.Equal(uses, Regex.Count(code, $"EventName = \"{name}\""));
        }
    }

    [Fact]
    public void Every_option_stands_in_the_configuration_page()
    {
        var page = File.ReadAllText(Path.Combine(TestProgram.Root, "docs", "configuration.md"));

        foreach (var (section, type) in new (string, Type)[]
        {
            ("agent", typeof(Configuration.AgentOptions)), ("hub", typeof(Link.HubOptions)), ("wake.profiles[]", typeof(Agents.WakeProfile)),
            ("workspace", typeof(Workspaces.WorkspaceOptions)), ("deadlines", typeof(Runs.DeadlineOptions)), ("workspace.forge", typeof(Forge.ForgeOptions)), ("gate", typeof(Gate.GateOptions)), ("log", typeof(Configuration.LogOptions)), ("control", typeof(Configuration.ControlOptions)),
            ("retention", typeof(Retention.RetentionOptions)), ("supervise", typeof(Supervise.SuperviseOptions)), ("supervise.members[]", typeof(Supervise.MemberOptions)),
            ("identity", typeof(Identity.IdentityOptions)), ("identity.upstream", typeof(Identity.UpstreamOptions)),
        })
        {
            foreach (var option in type.GetProperties().Where(property => property.CanWrite).Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..]))
            {
                Assert.True(page.Contains($"`{section}.{option}`", StringComparison.Ordinal) || (section == "deadlines" && page.Contains($"`.{option}`", StringComparison.Ordinal)), $"{section}.{option}");
            }
        }
    }

    [Fact]
    public void No_file_is_longer_than_300_lines_and_no_test_longer_than_400()
    {
        var long_ = Files(TestProgram.Root).Select(file => (File: file, Lines: File.ReadAllLines(file).Length))
            .Where(one => one.Lines > (one.File.Contains("/tests/", StringComparison.Ordinal) ? 400 : 300)).Select(one => $"{one.File}: {one.Lines}");

        Assert.Empty(long_);
    }

    private static IEnumerable<string> Files(string root) => Directory.GetFiles(root, "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/artifacts/", StringComparison.Ordinal));

    [GeneratedRegex(@"^\| `(?<folder>[A-Z][A-Za-z]+)` \| (?<uses>.*) \|$", RegexOptions.Multiline)]
    private static partial Regex TableRow();

    [GeneratedRegex("(?<=`)[A-Z][A-Za-z]+(?=`)")]
    private static partial Regex Word();

    [GeneratedRegex(@"^using FleetSidecar\.(?<folder>[A-Za-z]+)", RegexOptions.Multiline)]
    private static partial Regex OwnUsing();

    [GeneratedRegex(@"^\| (?<number>\d+) \| (?<name>[A-Za-z]+) \|", RegexOptions.Multiline)]
    private static partial Regex EventRow();

    [GeneratedRegex(@"public const int (?<name>[A-Za-z]+) = (?<number>\d+);")]
    private static partial Regex EventConstant();
}
