using System.Text;
using System.Text.Json.Nodes;

namespace FleetSidecar.Testing;

/// <summary>An agent's code tree with its identity files, and an upstream that carries the master's. Judges by its own rule, not by the product's.</summary>
public sealed class IdentityScene
{
    private static readonly Dictionary<string, string> Texts = new()
    {
        ["SOUL.md"] = "I am {0}.\nI keep my word.\n", ["IDENTITY.md"] = "name: {0}\nI am {0}\n", ["MEMORY.md"] = "# Memory of {0}\n- clara likes tea\n",
        ["memory/2026.md"] = "# Memory of {0}\n- winter\n", [".env"] = "AGENT={0}\nKEY=of-{0}\n",
    };

    private static readonly string[] Places = ["live", "backup", "sealed"];
    private readonly TempDir _directory;
    private readonly string _name;
    private int _version;

    private IdentityScene(TempDir directory, string name, string method) => (_directory, _name, Method) = (directory, name, method);

    public string Method { get; }

    public string Tree => _directory[$"{_name}-code"];

    public string State => _directory[$"{_name}-state"];

    public string Home => Path.Combine(State, "identity");

    public string Upstream => _directory["upstream.git"];

    public string Seed => _directory["upstream-seed"];

    public string ConfigFile => _directory[$"{_name}.json"];

    public static IEnumerable<string> Files => Texts.Keys.Append("contacts.db");

    /// <summary>A tree at version 1 with this agent's identity, sealed unless told otherwise, and a contaminated upstream at version 2.</summary>
    public static async Task<IdentityScene> CreateAsync(TempDir directory, string method = "in-place", string name = "iris", bool seal = true, string settings = "{}")
    {
        var scene = new IdentityScene(directory, name, method);
        if (!Directory.Exists(scene.Upstream))
        {
            await GitAsync(directory.Path, "init", "--quiet", "--bare", "--initial-branch=main", scene.Upstream);
            await GitAsync(directory.Path, "clone", "--quiet", scene.Upstream, scene.Seed);
            WriteCode(scene.Seed, 1);
            await scene.CommitAsync("Version 1");
        }

        var root = method == "swap" ? directory[$"{name}-code-first"] : scene.Tree;
        await GitAsync(directory.Path, "clone", "--quiet", scene.Upstream, root);
        if (method == "swap")
        {
            File.CreateSymbolicLink(scene.Tree, root);
        }

        await WriteIdentityAsync(root, scene.Title);
        scene.WriteConfig(settings);
        if (seal)
        {
            await scene.MustAsync("identity", "seal");
        }

        scene._version = 1;
        await scene.PushContaminatedAsync();
        return scene;
    }

    /// <summary>Changes the tree and the next version by shell scripts, syncs, and says how that went and whether the tree was left as it was.</summary>
    public async Task<(int Code, string Text, bool Untouched)> MeetAsync(string mine, string theirs, string message)
    {
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{Tree}'; {mine}");
        await TestProgram.MustAsync("/bin/bash", "-c", $"cd '{Seed}'; {theirs}");
        await CommitAsync(message);
        var picture = Picture();
        var (code, text) = await RunAsync("sync");
        return (code, text, Picture() == picture);
    }

    /// <summary>The next version of the code, with the master's identity in it.</summary>
    public async Task<string> PushContaminatedAsync()
    {
        _version++;
        WriteCode(Seed, _version);
        await WriteIdentityAsync(Seed, "Master");
        return await CommitAsync($"Version {_version}");
    }

    public async Task<string> CommitAsync(string message)
    {
        await GitAsync(Seed, "add", "--all", "--force");
        await GitAsync(Seed, "commit", "--quiet", "--allow-empty", "--message", message);
        await GitAsync(Seed, "push", "--quiet", "--force", "origin", "HEAD:main");
        return (await GitAsync(Seed, "rev-parse", "HEAD")).Trim();
    }

    public Task<(int Code, string Text)> RunAsync(params string[] arguments) => TestProgram.RunAsync(TestProgram.Sidecar, [.. arguments, "--config", ConfigFile])!;

    public async Task<string> MustAsync(params string[] arguments) => await TestProgram.MustAsync(TestProgram.Sidecar, [.. arguments, "--config", ConfigFile]);

    public TestProgram Start(CrashPoint? point = null) => TestProgram.Start(TestProgram.Sidecar,
        ["sync", "--config", ConfigFile, .. point is null ? (string[])[] : ["--crash-points"]], point?.Environment);

    /// <summary>Puts the master's identity into <c>live</c>, <c>backup</c> or <c>sealed</c>; the seal's manifest stays.</summary>
    public async Task ContaminateAsync(string place)
    {
        if (place == "backup" && !Directory.Exists(Root(place)))
        {
            Directory.CreateDirectory(Root(place));
        }

        await WriteIdentityAsync(Root(place), "Master");
    }

    public string Root(string place) => place switch { "live" => Tree, "backup" => Path.Combine(Home, "backup"), _ => Path.Combine(Home, "sealed", "files") };

    /// <summary>Which sources are this agent's: the very bytes that the test wrote, or, of the book, a database with our own peer in it.</summary>
    public HashSet<string> Ours() => [.. from place in Places from file in Files where IsOurs(Path.Combine(Root(place), file), file) select $"{place} {file}"];

    public static bool HasForeign(string root) => Files.Any(file => File.Exists(Path.Combine(root, file)) && Encoding.Latin1.GetString(File.ReadAllBytes(Path.Combine(root, file))) is var text
        && (text.Contains("Master", StringComparison.Ordinal) || text.Contains("master-only", StringComparison.Ordinal)));

    /// <summary>All that is in the tree, for comparing.</summary>
    public string Picture() => string.Join('\n', Directory.EnumerateFiles(Tree + "/", "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
        .Where(path => !path.Contains("/.git/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(path => $"{path} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(new FileInfo(path).LinkTarget is { } target ? Encoding.UTF8.GetBytes(target) : File.ReadAllBytes(path)))}"));

    public string CodeVersion() => File.ReadAllText(Path.Combine(Tree, "app", "version")).Trim();

    public string Newest => _version.ToString(System.Globalization.CultureInfo.InvariantCulture);

    public static Task<string> GitAsync(string directory, params string[] arguments) =>
        TestProgram.MustAsync("/usr/bin/git", ["-C", directory, "-c", "user.name=tester", "-c", "user.email=tester@fleet.invalid", "-c", "init.defaultBranch=main", .. arguments]);

    private string Title => char.ToUpperInvariant(_name[0]) + _name[1..];

    private bool IsOurs(string path, string file)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        var text = Encoding.Latin1.GetString(File.ReadAllBytes(path));
        return file == "contacts.db" ? text.StartsWith("SQLite format 3", StringComparison.Ordinal) && text.Contains($"{_name}-only", StringComparison.Ordinal)
            : text == string.Format(System.Globalization.CultureInfo.InvariantCulture, Texts[file], Title);
    }

    private static async Task WriteIdentityAsync(string root, string title)
    {
        foreach (var (file, text) in Texts)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(root, file))!);
            await File.WriteAllTextAsync(Path.Combine(root, file), string.Format(System.Globalization.CultureInfo.InvariantCulture, text, title));
        }

        var book = Path.Combine(root, "contacts.db");
        File.Delete(book);

        // A daemon may have the new file open for a look already.
        await TestProgram.MustAsync("/usr/bin/sqlite3", "-cmd", ".timeout 20000", book, $"CREATE TABLE contacts (name TEXT PRIMARY KEY, address TEXT); INSERT INTO contacts VALUES ('{title.ToLowerInvariant()}-only', 'x'), ('clara', 'clara@{title}');");
    }

    // Files that stay, change, come and go, in directories that come and go.
    private static void WriteCode(string root, int version)
    {
        foreach (var old in Directory.Exists(Path.Combine(root, "app")) ? Directory.GetDirectories(Path.Combine(root, "app"), "only-*") : [])
        {
            Directory.Delete(old, recursive: true);
        }

        Directory.CreateDirectory(Path.Combine(root, "app", $"only-{version}"));
        File.WriteAllText(Path.Combine(root, "app", "version"), $"{version}\n");
        File.WriteAllText(Path.Combine(root, "app", $"only-{version}", "file"), $"of {version}\n");
        for (var index = 0; index < 40; index++)
        {
            File.WriteAllText(Path.Combine(root, "app", $"module-{index}"), $"{index} at {(index % 2 == 0 ? version : 0)}\n");
        }
    }

    private void WriteConfig(string settings)
    {
        var config = JsonNode.Parse($$"""
            {
              "agent": { "id": "{{_name}}" },
              "hub": { "url": "ws://127.0.0.1:9/ws", "tokenFile": "{{_directory.Write($"{_name}-token", "token-token")}}" },
              "stateDirectory": "{{State}}",
              "control": { "socket": "{{_directory[$"{_name}.sock"]}}" },
              "safeMode": { "starts": 0 },
              "wake": { "profiles": [ { "name": "main", "command": ["/bin/true"] } ] },
              "identity": {
                "tree": "{{Tree}}", "upstream": { "url": "{{Upstream}}", "branch": "main" },
                "files": [
                  { "path": "SOUL.md", "rule": "sealed", "mark": "I am {{Title}}" }, { "path": "IDENTITY.md", "rule": "sealed", "mark": "I am {{Title}}" },
                  { "path": "MEMORY.md", "rule": "mark", "mark": "Memory of {{Title}}" }, { "path": "memory/*.md", "rule": "mark", "mark": "Memory of {{Title}}" },
                  { "path": ".env", "rule": "mark", "mark": "AGENT={{Title}}" },
                  { "path": "contacts.db", "rule": "sqlite", "table": "contacts", "minimumRows": 1, "mark": "{{_name}}-only" }
                ]
              }
            }
            """)!.AsObject();
        JsonMerge.Into(config, JsonNode.Parse(settings)!.AsObject());
        _directory.Write($"{_name}.json", config.ToJsonString());
    }
}
