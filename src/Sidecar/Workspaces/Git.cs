using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>Runs git: argv, no prompts, no hooks of the repository, bounds on time and memory, and only transports that cannot run programs.</summary>
internal sealed class Git(ToolRunner tools, WorkspaceOptions options)
{
    internal const string Ssh = "GIT_SSH_COMMAND", SshCommand = "ssh -oBatchMode=yes";

    /// <summary>Of git itself: the tree without an entry.</summary>
    public const string EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    /// <summary>What the environment of each git that we start carries, and no agent's.</summary>
    public static ReadOnlySpan<byte> OwnMark => "FLEET_SIDECAR_GIT=1"u8;

    /// <summary>A variable that names the file with what git reads on its standard input.</summary>
    public const string InputFile = "FLEET_GIT_INPUT";

    private static readonly string[] Inherited = ["PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"];

    // What git leaves behind may hold its output, as a connection of ssh that is kept does. Git itself has said all by then.
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(3);

    private readonly Dictionary<string, string> _environment = Environment();
    private readonly string[] _credentials = [.. CredentialHelper.Arguments(options.Credentials)];

    /// <summary>What each run's git is doing at present.</summary>
    public GitProgress Progress { get; } = new();

    /// <summary>Standard output of a command that has to succeed.</summary>
    /// <exception cref="GitException">It failed or took too long.</exception>
    public async Task<string> RunAsync(string directory, CancellationToken token, params string[] arguments)
    {
        var outcome = await TryAsync(directory, token, arguments);
        return outcome.Ok ? outcome.Output.Trim() : throw GitFaults.Explain(arguments, outcome);
    }

    public Task<ToolOutcome> TryAsync(string directory, CancellationToken token, params string[] arguments) =>
        TryAsync(directory, [], token, arguments);

    /// <summary>The same with variables of git's own besides the usual ones (<c>GIT_INDEX_FILE</c>, <c>GIT_WORK_TREE</c>).</summary>
    public async Task<string> RunAsync(string directory, Dictionary<string, string> more, CancellationToken token, params string[] arguments)
    {
        var outcome = await TryAsync(directory, more, token, arguments);
        return outcome.Ok ? outcome.Output.Trim() : throw GitFaults.Explain(arguments, outcome);
    }

    /// <summary>The same with variables of git's own besides the usual ones; a failure is the caller's to judge.</summary>
    /// <exception cref="GitException">Git is missing, or the directory is.</exception>
    public Task<ToolOutcome> TryAsync(string directory, Dictionary<string, string> more, CancellationToken token, params string[] arguments) =>
        TryAsync(directory, more, ToolRunner.OutputLimit, token, arguments);

    /// <summary>The same with room for a long list.</summary>
    /// <exception cref="GitException">Git is missing, or the directory is.</exception>
    public async Task<ToolOutcome> TryAsync(string directory, Dictionary<string, string> more, int room, CancellationToken token, params string[] arguments)
    {
        Require(directory);
        RequireTrust(directory);
        using var running = Progress.Running(arguments);
        try
        {
            var program = ProgramFile.Require("git", directory, _environment.GetValueOrDefault("PATH"));
            string[] words = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.commitGraph=false", "-c", $"safe.directory={directory}", "-c", "http.followRedirects=initial", "-c", "gc.auto=0", "-c", "safe.bareRepository=all", "-c", "advice.detachedHead=false", .. _credentials, .. GitMemory.Bound(arguments)];
            var (around, bypass) = UserGitFiles.Bypass(_environment.GetValueOrDefault("HOME"));
            return await tools.RunAsync([.. GitMemory.Limited(program, [.. around, .. words])],
                more.Count + bypass.Count == 0 ? _environment : Merged(bypass, more), directory, options.GitTimeout, token, Linger, room);
        }
        catch (SpawnException fault)
        {
            Require(directory); // It may have gone since.
            throw new GitException(GitFaults.GitMissing, fault.Message, fault.Problem == StartProblem.ProgramMissing ? "install git (apt-get install git)" : fault.Hint);
        }
    }

    // What a caller names counts most: it keeps git from more of the user's files than a trap does.
    private Dictionary<string, string> Merged(params IEnumerable<KeyValuePair<string, string>>[] more)
    {
        var all = new Dictionary<string, string>(_environment);
        foreach (var (name, value) in more.SelectMany(some => some))
        {
            all[name] = value;
        }

        return all;
    }

    /// <exception cref="GitException">The directory is gone.</exception>
    public static void Require(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new GitException(GitFaults.WorkspaceGone, $"the directory {directory} is gone", "somebody removed it while the run was going on; the agent must leave its workspace in place");
        }
    }

    /// <summary>Who else may have written what git does in a directory: the directory, or the configuration in it; null for nobody.</summary>
    public static string? DoubtIn(string directory) =>
        new[] { directory, Path.Combine(directory, ".git"), Path.Combine(directory, ".git/config"), Path.Combine(directory, "config") }
            .Select(place => TrustedPath.Doubt(place)).FirstOrDefault(found => found is not null);

    // Git runs what a repository's configuration names, and takes some from the place it is started in. For root that must be
    // root's own; whoever owns the fleet's directories asks there.
    private static void RequireTrust(string directory)
    {
        if (TrustedPath.IsRoot && DoubtIn(directory) is { } doubt)
        {
            throw new GitException(GitFaults.Untrusted, $"git was not run as root in {directory}: {doubt}", "call this as the service's user (runuser -u fleet-sidecar -- fleet-sidecar …)");
        }
    }

    private static Dictionary<string, string> Environment()
    {
        var variables = Inherited
            .Select(name => (Name: name, Value: System.Environment.GetEnvironmentVariable(name)))
            .Where(pair => pair.Value is not null)
            .ToDictionary(pair => pair.Name, pair => pair.Value!);
        variables["FLEET_SIDECAR_GIT"] = "1";
        variables["LC_ALL"] = "C";
        variables["GIT_TERMINAL_PROMPT"] = "0";
        variables["GIT_ASKPASS"] = "/bin/true";
        variables[Ssh] = SshCommand;

        // Whatever says that somebody else has a missing object: it is missing. Git knows this since 2.39.4; what matters does not lean on it.
        variables["GIT_NO_LAZY_FETCH"] = "1";

        // ext:: and the like run any program that an address names.
        variables["GIT_ALLOW_PROTOCOL"] = "file:git:http:https:ssh";
        return variables;
    }
}
