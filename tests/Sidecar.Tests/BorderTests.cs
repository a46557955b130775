using System.Text.RegularExpressions;

namespace FleetSidecar.Tests;

/// <summary>Text from outside has one border, read off the code: nothing reads JSON or decodes bytes beside it.</summary>
public sealed partial class BorderTests
{
    // The border itself; and three that read with the framework's own reader what has passed it.
    private static readonly string[] JsonReaders = ["OutsideJson.cs", "Frame.cs", "Envelope.cs", "UnreadAssignment.cs", "PlainFile.cs"];

    // Bytes that are told from each other byte by byte (names of files as git has them, heads of programs),
    // and bytes that we wrote ourselves.
    private static readonly string[] Decoders =
    [
        "OutsideText.cs", "RealPath.cs", "StoreFile.cs", "GitNames.cs", "InPlaceTree.cs", "FreshCheckout.cs", "NameList.cs", "RefNames.cs", "SyncLoop.cs", "ProcessEnvironments.cs",
        "GitFiles.cs", "WorkTraps.cs", "GatewayRecord.cs", "AlertHooks.cs", "OfflineReport.cs", "RunMessages.cs",
        "OutboxPump.cs", "AgentOutput.cs", "StartFaults.cs", "ElfLoader.cs",
    ];

    // What the kernel or we ourselves wrote; and the streams of tools, which are read as UTF-8 whatever comes first.
    private static readonly string[] TextReaders =
    [
        "ToolRunner.cs", "ProcessTree.cs", "ControlGroup.cs", "OomKills.cs", "ProcessIdentity.cs", "ProcessFamily.cs", "ProcessReport.cs", "HeartbeatSource.cs", "Migrations.cs",
        "Signals.cs", "FleetEndpoints.cs", "SelfDescription.cs", "LastGood.cs", "Clones.cs", "TaskCommands.cs", "HubClient.cs",
    ];

    [Fact]
    public void Json_is_read_at_the_border_alone() => Only(JsonReader(), JsonReaders);

    [Fact]
    public void Bytes_become_text_at_the_border_alone() => Only(Decoder(), Decoders);

    [Fact]
    public void Files_are_read_as_text_only_where_the_kernel_or_we_wrote_them() => Only(TextReader(), TextReaders);

    /// <summary>A pipe in the place of a file keeps whoever opens it waiting, and a link leads elsewhere: our own way to write removes both first.</summary>
    [Fact]
    public void Files_are_written_over_whatever_stands_there_by_our_own_way_alone() => Only(Writer(), ["CrashPoints.cs", "ServeCommand.cs"]);

    private static void Only(Regex use, string[] allowed)
    {
        var users = Directory.GetFiles(Path.Combine(TestProgram.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && use.IsMatch(File.ReadAllText(file)))
            .Select(file => Path.GetFileName(file)).Distinct().Order(StringComparer.Ordinal).ToList();

        Assert.Equal(allowed.Order(StringComparer.Ordinal), users);
    }

    [GeneratedRegex(@"JsonSerializer\.Deserialize|\.DeserializeAsync|JsonDocument\.Parse|JsonElement\.Parse|JsonNode\.Parse|new Utf8JsonReader|ReadFromJson")]
    private static partial Regex JsonReader();

    [GeneratedRegex(@"Encoding\.(\w+\.)?GetString\(|wide\.GetString\(")]
    private static partial Regex Decoder();

    [GeneratedRegex(@"\bFile\.(WriteAll|AppendAll|AppendText|CreateText|OpenWrite|Create\()")]
    private static partial Regex Writer();

    [GeneratedRegex(@"File\.(ReadAllText|ReadAllLines|ReadLines|OpenText)|new(\([^)]*\))? StreamReader|StreamReader\w* \w+\([^)]*\) => new\(")]
    private static partial Regex TextReader();
}
