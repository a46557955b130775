using System.Text;
using System.Text.Json;
using FleetSidecar.Agents;
using FleetSidecar.Agents.Adapters;
using FleetSidecar.Agents.OpenClaw;
using FleetSidecar.Agents.Units;
using FleetSidecar.Configuration;
using FleetSidecar.Control;
using FleetSidecar.Deadman;
using FleetSidecar.Drain;
using FleetSidecar.Gate;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Identity;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using FleetSidecar.Supervise;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>Whatever stands in a frame, a record, a note, a file or a tool's output, its reader comes back with a value: over 100,000 hostile inputs a run.</summary>
public sealed class HostileReaderTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string Tests = Path.Combine(TestProgram.Root, "tests");
    private static readonly string[] Notes =
    [
        "4242 (sh) S 1 4242 4242 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 12345 1 2 3\n",
        "0\n",
        "137 oom-kill 3\n",
        "paused 1700000000000\n",
        "draining\n",
    ];

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Frames_of_both_families_are_messages_or_refusals_and_every_message_can_be_written_stored_and_read_again()
    {
        var golden = Directory.GetFiles(Path.Combine(Tests, "Sidecar.Protocol.Tests", "Golden"), "*.json", SearchOption.AllDirectories).Order().Select(File.ReadAllBytes).ToList();
        var messages = 0;
        HostileText.Feed(60_000, golden, bytes =>
        {
            if (Frame.TryRead(bytes, out HubMessage? hub, out var refusal))
            {
                messages++;
                Assert.True(Frame.TryRead(Frame.Write(hub), out HubMessage? again, out refusal), refusal?.ToString());
                Assert.Equal(hub.GetType(), again.GetType());
                Store(hub);
            }

            if (Frame.TryRead(bytes, out SidecarMessage? sidecar, out refusal))
            {
                messages++;
                Assert.True(Frame.TryRead(Frame.Write(sidecar), out SidecarMessage? again, out refusal), refusal?.ToString());
                Assert.Equal(sidecar.GetType(), again.GetType());
            }
        }, output.WriteLine);

        Assert.True(messages > 3_000, $"{messages} were messages");
    }

    [Fact]
    public void Records_of_turns_are_read_by_every_adapter_and_what_is_read_can_be_stored()
    {
        // Small ones: what is hostile about a record does not need the rest of a conversation.
        var records = Directory.GetFiles(Path.Combine(Tests, "Sidecar.Tests", "Fixtures", "agents"), "*.out").Order().Select(File.ReadAllBytes).Where(bytes => bytes.Length is > 0 and < 6_000).ToList();
        string[] adapters = ["claude-code", "codex", "gemini", "opencode", "openclaw"];
        var round = 0;
        HostileText.Feed(20_000, records, bytes =>
        {
            var profile = Some.Profile();
            profile.Adapter = adapters[round++ % adapters.Length];
            var turn = AgentAdapters.Of(profile).ReadTurn(profile, new TurnOutput(new ProcessEnd(0, 1), false, new OutsideLines(() => new MemoryStream(bytes)), OutsideText.Decode(bytes)))!;
            IsText(turn.Output, turn.Reason, turn.Model, turn.Provider, turn.SessionId);
            Assert.True(turn.Tokens is not { Total: < 0 } && turn.CostUsd is not < 0);
            Assert.NotNull(OutsideJson.Read(JsonSerializer.Serialize(new RunFacts { Turn = turn }, RunJson.Default.RunFacts), RunJson.Default.RunFacts, out _));
            if (JsonRead.Parse(bytes) is { } final)
            {
                GatewayRules.After(final, "run", engaged: true, endedBefore: null, recoveryOver: true);
                Assert.NotNull(JsonRead.Parse(Encoding.UTF8.GetBytes(GatewayRecord.Of(final).Line)));
                GatewayRecord.Recovered("run", final, final);
            }
        }, output.WriteLine);
    }

    [Fact]
    public void Result_files_are_reports_or_refused_by_name()
    {
        HostileText.Feed(10_000,
        [
            """{"status":"success","output":"done 😀","tokens_used":12}"""u8.ToArray(), """{"status":"failed","reason":"no \ud83d\ude00","extra":{"a":[1,2]}}"""u8.ToArray(),
            """{"status":"handoff","output":{"deep":1},"error":"x"}"""u8.ToArray(),
        ], bytes =>
        {
            var report = ResultReport.Read(bytes, out var problem);
            Assert.NotEqual(report is null, problem is null);
            IsText(problem, report?.Status, report?.Output, report?.Reason);
        }, output.WriteLine);
    }

    [Fact]
    public void Configuration_is_read_or_refused_in_its_own_words()
    {
        var shipped = """
            { // a comment
              "agent": { "id": "iris", "maxConcurrentRuns": 2 }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "/t", "heartbeatInterval": "00:00:30" },
              "wake": { "profiles": [ { "name": "main", "command": ["/bin/true", "x"], "environment": { "A": "b" } } ] }, "stateDirectory": "/var/lib/x", }
            """;
        HostileText.Feed(6_000, [Encoding.UTF8.GetBytes(shipped), Encoding.UTF8.GetBytes(shipped.Replace("// a comment", "", StringComparison.Ordinal))], bytes =>
        {
            Refusable<JsonException>(() => PlainFile.Read(bytes));
            Refusable<ConfigurationException>(() => ConfigLoader.Check("sidecar.json", bytes));
        }, output.WriteLine);
    }

    [Fact]
    public void Requests_answers_and_our_own_small_files_are_values_or_none()
    {
        var good = new List<byte[]>
        {
            """{"verb":"task","action":"complete","nonce":"n","text":"done","percent":40}"""u8.ToArray(), """{"ok":true,"runs":[],"error":"x"}"""u8.ToArray(),
            """{"condition":"fine","since_unix_ms":1,"silent_passes":0,"last_action":"restart"}"""u8.ToArray(), """[{"at_unix_ms":1,"good":true}]"""u8.ToArray(),
            """{"run_id":"r","base":"b","events":[{"number":1,"code":"c","detail":"d","at_unix_ms":5}]}"""u8.ToArray(), """["iris","otto"]"""u8.ToArray(),
            """{"kind":"forward","files":[{"path":"SOUL.md"}],"agent":"iris","a":{"expiresAt":1700000000}}"""u8.ToArray(),
            """{"type":"task_complete","task_id":"t","generation":1,"verification_report":{"status":"pass","checks":[{"type":"commits","status":"pass"}]},"html_url":"https://x/1","number":1}"""u8.ToArray(),
        };
        HostileText.Feed(12_000, good, bytes =>
        {
            if (OutsideJson.Read(bytes, ControlJson.Default.ControlRequest) is { } request)
            {
                IsText(request.Verb, request.Text, request.Nonce, request.Action);
            }

            OutsideJson.Read(bytes, ControlJson.Default.ControlResponse);
            OutsideJson.Read(bytes, DeadmanJson.Default.DeadmanState);
            OutsideJson.Read(bytes, StartJson.Default.ListStartRecord);
            OutsideJson.Read(bytes, MarkJson.Default.WorkspaceMark);
            OutsideJson.Read(bytes, SuperviseJson.Default.MemberRecord);
            OutsideJson.Read(bytes, IdentityJson.Default.SyncPlan);
            OutsideJson.Read(bytes, IdentityJson.Default.SyncRecord);
            OutsideJson.Read(bytes, IdentityJson.Default.SealedManifest);
            OutsideJson.Read(bytes, IdentityJson.Default.IReadOnlyListString);
            CredentialCheck.Expiry(bytes, "a.expiresAt");
            Refusable<JsonException>(() => VerificationReports.Read(bytes));
            if (OutsideJson.Element(bytes) is { } answer)
            {
                Forge.PullRequestRules.Read(answer);
            }
        }, output.WriteLine);
    }

    [Fact]
    public void Notes_ends_and_signs_of_life_are_read_for_what_they_are()
    {
        var record = Directory.CreateDirectory(_directory["run/wake-1"]).FullName;
        HostileText.Feed(1_500, [.. Notes.Select(Encoding.UTF8.GetBytes)], bytes =>
        {
            File.WriteAllBytes(Recorder.Note(record), bytes);
            File.WriteAllBytes(Path.Combine(record, "exit"), bytes);
            File.WriteAllBytes(Path.Combine(record, "end"), bytes);
            File.WriteAllBytes(_directory["alive"], bytes);
            Recorder.ReadNote(record);
            Recorder.ReadEnd(record, DateTimeOffset.UnixEpoch);
            UnitEnd.Read(record, DateTimeOffset.UnixEpoch);
            IsText(TextTail.Read(Recorder.Note(record), 20));
            AliveFile.Meaning(AliveFile.Read(_directory.Path, DateTimeOffset.UnixEpoch)?.Words, 5);
            ProcessIdentity.FromStat(OutsideText.Decode(bytes), "boot");
        }, output.WriteLine);
    }

    [Fact]
    public void What_git_and_other_tools_print_is_read_or_explained()
    {
        var good = new[]
        {
            ":100644 100644 aaaa bbbb M\0src/a.cs\0:100644 000000 cccc 0000 R100\0old \"name\"\0new.cs\0", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\trefs/heads/main\nbbbb\trefs/fleet/t/3\n",
            " 3 files changed, 5 insertions(+), 2 deletions(-)\n", "fatal: unable to access 'https://x/': Could not resolve host: x\nremote: error: GH006\n", "\"src/\\303\\251\\\\.cs\"",
            "2.1.214 (Claude Code)\n", """{"ts":1,"status":"sent","preview":"x"}""", "%3 4242 0 main:1.0 bash\n", "tests/run --all 'two words' \"x\"",
        };
        HostileText.Feed(8_000, [.. good.Select(Encoding.UTF8.GetBytes)], bytes =>
        {
            var text = Encoding.UTF8.GetString(bytes);
            DiffFacts.Parse(text);
            RemoteRefs.Parse(text);
            GitFaults.Explain(["fetch"], new ToolOutcome(128, text, text, TimedOut: false));
            GitNames.Show(Encoding.Latin1.GetString(bytes));
            GitNames.Unquote(text);
            FailureClassifier.OfText(text);
            AgentAdapters.Find("claude-code")!.CheckVersion(text);
            AgentAdapters.Find("openclaw")!.ReadProbe(text, 0);
            TmuxTarget.TryParse(text);
            TmuxPane.TryParse(text);
            ArgvSplitter.Split(text);
            RefNames.Component(OutsideText.Clean(text));
        }, output.WriteLine);
    }

    [Fact]
    public async Task A_book_of_contacts_that_is_damaged_or_holds_what_is_no_text_is_read_or_is_a_fault_of_the_file()
    {
        var book = _directory["book.db"];
        await TestProgram.MustAsync("sqlite3", book, "CREATE TABLE contacts (name TEXT, address TEXT); INSERT INTO contacts VALUES ('iris', 'a' || char(0) || 'b'), ('otto', CAST(x'EDA0BDFF' AS TEXT)), (x'00ff', 1e999);");
        HostileText.Feed(300, [File.ReadAllBytes(book)], bytes =>
        {
            File.WriteAllBytes(_directory["theirs.db"], bytes);
            SqliteFile.Complaint(_directory["theirs.db"], "contacts", 0);
            Refusable<IOException>(() => SqliteFile.Rows(_directory["theirs.db"], "contacts"));
        }, output.WriteLine);

        Assert.Equal(3, SqliteFile.Rows(book, "contacts").Count);
    }

    private static void Store(HubMessage message)
    {
        if (message is HubMessage.TaskAssign assign)
        {
            IsText(assign.Description, assign.Repo, assign.Branch);
            Assert.NotNull(OutsideJson.Read(JsonSerializer.Serialize(assign, WireJson.Wire.TaskAssign), WireJson.Wire.TaskAssign, out var problem) ?? throw new InvalidOperationException(problem));
        }
    }

    private static void Refusable<T>(Action read)
        where T : Exception
    {
        try
        {
            read();
        }
        catch (T)
        {
        }
    }

    private static void IsText(params ReadOnlySpan<string?> texts)
    {
        foreach (var text in texts)
        {
            Assert.True(text is null || ReferenceEquals(OutsideText.Clean(text), text), text);
        }
    }
}
