using System.Text.Json;

namespace FleetSidecar.EndToEnd;

/// <summary>Nothing that another user may write is run by the daemon, or by root through a verb.</summary>
public sealed class ForeignProgramTests : IDisposable
{
    private const string Stranger = "54321";

    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 120_000)]
    public async Task A_verb_runs_no_program_of_the_directory_that_it_is_called_in()
    {
        using var sidecar = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", Scripts.Worker(_directory));
        Directory.CreateDirectory(sidecar.State);
        var place = Directory.CreateDirectory(_directory["place"]).FullName;
        foreach (var name in new[] { "git", "ssh", "sh", "systemctl", "tmux" })
        {
            Plant(Path.Combine(place, name));
        }

        var checks = await DoctorAsync(sidecar, place);

        Assert.Equal("ok", checks["git"].Status);
        Assert.False(File.Exists(_directory["ran"]), "a planted program was run");
    }

    [Theory(Timeout = 120_000)]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Doctor_without_a_daemon_only_looks_at_a_program_that_is_not_this_users(bool foreignProgram)
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a file away");
        using var sidecar = TestSidecar.Create(_directory, "ws://127.0.0.1:9/ws", "token-token", "", Claude(Plant(_directory["claude"])));
        Directory.CreateDirectory(sidecar.State);
        await GiveAwayAsync(foreignProgram ? _directory["claude"] : sidecar.State);

        var checks = await DoctorAsync(sidecar, "/");

        Assert.Equal(foreignProgram ? "failed" : "ok", checks["wake"].Status);
        Assert.Contains(foreignProgram ? $"belongs to user {Stranger}" : "only looked at", checks["wake"].Detail, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["ran"]), "the program was run");
        Assert.Empty(Directory.GetFileSystemEntries(sidecar.State));
    }

    [Fact(Timeout = 120_000)]
    public async Task Git_runs_as_root_in_no_place_that_another_user_may_write()
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a file away");
        var scene = await IdentityScene.CreateAsync(_directory);
        await TestProgram.MustAsync("/usr/bin/git", "-C", scene.Tree, "config", "filter.planted.clean", $"touch {_directory["ran"]}; cat");
        await File.WriteAllTextAsync(Path.Combine(scene.Tree, ".git/info/attributes"), "* filter=planted\n");
        await GiveAwayAsync(scene.Tree);

        var (code, text) = await scene.RunAsync("sync");

        Assert.NotEqual(0, code);
        Assert.Contains($"belongs to user {Stranger}", text, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["ran"]));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_daemon_wakes_no_agent_whose_program_another_user_may_write_and_says_so()
    {
        Assert.SkipWhen(!Environment.IsPrivilegedProcess, "only root can give a file away");
        await using var hub = await ScriptedHub.StartAsync(version: 2);
        using var sidecar = await TestSidecar.Create(_directory, hub.SocketUrl, "token-token", Plant(_directory["agent"])).StartAsync();
        await sidecar.WaitForAvailableAsync();
        await GiveAwayAsync(_directory["agent"]);

        await hub.SendAsync("""{"type":"task_assign","task_id":"task-1","generation":1,"description":"x"}""");
        var failed = await hub.WaitForAsync("task_failed");

        Assert.Contains($"belongs to user {Stranger}", failed.GetRawText(), StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["ran"]), "the program was run");
        Assert.Equal("failed", (await DoctorAsync(sidecar, "/"))["wake"].Status);
        await sidecar.WaitForRunAsync("settled");
    }

    private string Plant(string path)
    {
        File.WriteAllText(path, $"#!/bin/sh\necho ran >> '{_directory["ran"]}'\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        return path;
    }

    private static string Claude(string program) => $$"""{ "wake": { "profiles": [ { "name": "main", "adapter": "claude-code", "command": ["{{program}}"] } ] } }""";

    private static Task<string> GiveAwayAsync(string path) => TestProgram.MustAsync("/bin/chown", "-R", Stranger, path);

    private static async Task<Dictionary<string, (string Status, string Detail)>> DoctorAsync(TestSidecar sidecar, string place)
    {
        var (_, text) = await TestProgram.RunAsync("/bin/sh", ["-c", "cd \"$1\" && shift && exec \"$@\"", "sh", place, TestProgram.Sidecar, "doctor", "--json", "--config", sidecar.ConfigFile]);
        return JsonDocument.Parse(text).RootElement.GetProperty("checks").EnumerateArray()
            .ToDictionary(check => check.GetProperty("name").GetString()!, check => (check.GetProperty("status").GetString()!, check.GetProperty("detail").GetString()!));
    }
}
