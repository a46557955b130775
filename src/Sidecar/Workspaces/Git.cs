using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>Runs git: argv, no prompts, no hooks of the repository, bounds on time and memory, and only transports that cannot run programs.</summary>
internal sealed class Git(ToolRunner tools, WorkspaceOptions options)
{
    /// <summary>Of git itself: the tree without an entry.</summary>
    public const string EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    private static readonly string[] Inherited = ["PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"];

    private readonly Dictionary<string, string> _environment = Environment();
    private readonly string[] _credentials = [.. CredentialHelper.Arguments(options.Credentials)];

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
        try
        {
            return await tools.RunAsync(
                ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", $"safe.directory={directory}", "-c", "gc.auto=0", "-c", "advice.detachedHead=false", .. _credentials, .. GitMemory.Bound(arguments)],
                more.Count == 0 ? _environment : new Dictionary<string, string>(_environment.Concat(more)), directory, options.GitTimeout, token, room: room);
        }
        catch (SpawnException fault)
        {
            throw new GitException(GitFaults.GitMissing, fault.Message, "install git (apt-get install git)");
        }
    }

    /// <exception cref="GitException">The directory is gone.</exception>
    public static void Require(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new GitException(GitFaults.WorkspaceGone, $"the directory {directory} is gone", "somebody removed it while the run was going on; the agent must leave its workspace in place");
        }
    }

    private static Dictionary<string, string> Environment()
    {
        var variables = Inherited
            .Select(name => (Name: name, Value: System.Environment.GetEnvironmentVariable(name)))
            .Where(pair => pair.Value is not null)
            .ToDictionary(pair => pair.Name, pair => pair.Value!);
        variables["LC_ALL"] = "C";
        variables["GIT_TERMINAL_PROMPT"] = "0";
        variables["GIT_ASKPASS"] = "/bin/true";
        variables["GIT_SSH_COMMAND"] = "ssh -oBatchMode=yes";

        // Whatever says that somebody else has a missing object: it is missing. Git knows this since 2.39.4; what matters does not lean on it.
        variables["GIT_NO_LAZY_FETCH"] = "1";

        // ext:: and the like run any program that an address names.
        variables["GIT_ALLOW_PROTOCOL"] = "file:git:http:https:ssh";
        return variables;
    }
}
