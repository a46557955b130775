namespace FleetSidecar.Testing;

/// <summary>A real bare repository with one commit on main.</summary>
public sealed class GitOrigin
{
    /// <summary>The origins that were made in a directory so far. A sidecar takes such only by name.</summary>
    public static IEnumerable<string> In(TempDir directory) => Directory.EnumerateDirectories(directory.Path, "*.git").Order(StringComparer.Ordinal);

    private GitOrigin(string path) => Path = path;

    public string Path { get; }

    public static async Task<GitOrigin> CreateAsync(TempDir directory, string name = "origin")
    {
        var (bare, seed) = (directory[$"{name}.git"], directory[$"{name}-seed"]);
        await GitAsync(directory.Path, "init", "--quiet", "--bare", "--initial-branch=main", bare);
        await GitAsync(directory.Path, "init", "--quiet", "--initial-branch=main", seed);
        await File.WriteAllTextAsync(System.IO.Path.Combine(seed, "README.md"), "# Origin\n");
        await GitAsync(seed, "add", "--all");
        await GitAsync(seed, "commit", "--quiet", "--message", "First commit");
        await GitAsync(seed, "push", "--quiet", bare, "main");
        return new GitOrigin(bare);
    }

    /// <summary>The commit of a branch, or null.</summary>
    public async Task<string?> HeadAsync(string branch)
    {
        var (code, text) = await TestProgram.RunAsync("/usr/bin/git", ["-C", Path, "rev-parse", "--verify", "--quiet", $"refs/heads/{branch}"]);
        return code == 0 ? text.Trim() : null;
    }

    public Task<string> GitAsync(params string[] arguments) => GitAsync(Path, arguments);

    private static Task<string> GitAsync(string directory, params string[] arguments) =>
        TestProgram.MustAsync("/usr/bin/git", ["-C", directory, "-c", "user.name=tester", "-c", "user.email=tester@fleet.invalid", .. arguments]);
}
