using FleetSidecar.Ground;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Workspaces;

/// <summary>A git command that did not do what was asked.</summary>
internal sealed class GitException(string message, string hint) : SidecarException(message, hint);

/// <summary>Runs git: argv, no prompts, no hooks of the repository, a time limit, and only transports that cannot run programs.</summary>
internal sealed class Git(ToolRunner tools, WorkspaceOptions options)
{
    private static readonly string[] Inherited = ["PATH", "HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"];

    private static readonly string[] Telling = ["fatal:", "error:", "remote:", "! ["];

    private readonly Dictionary<string, string> _environment = Environment();

    /// <summary>Standard output of a command that has to succeed.</summary>
    /// <exception cref="GitException">It failed or took too long.</exception>
    public async Task<string> RunAsync(string directory, CancellationToken token, params string[] arguments)
    {
        var outcome = await TryAsync(directory, token, arguments);
        return outcome.Ok ? outcome.Output.Trim() : throw Explain(arguments, outcome);
    }

    public async Task<ToolOutcome> TryAsync(string directory, CancellationToken token, params string[] arguments)
    {
        if (!Directory.Exists(directory))
        {
            throw new GitException($"the directory {directory} is gone", "somebody removed it while the run was going on; the agent must leave its workspace in place");
        }

        try
        {
            return await tools.RunAsync(
                ["git", "-c", "core.hooksPath=/dev/null", "-c", "safe.directory=*", "-c", "gc.auto=0", "-c", "advice.detachedHead=false", .. arguments],
                _environment, directory, options.GitTimeout, token);
        }
        catch (SpawnException fault)
        {
            throw new GitException(fault.Message, "install git (apt-get install git)");
        }
    }

    private static GitException Explain(string[] arguments, ToolOutcome outcome)
    {
        var said = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

        // What the other side says of a refused push stands in lines of their own; the last line alone says nothing.
        var telling = said.Where(text => Telling.Any(start => text.StartsWith(start, StringComparison.Ordinal))).Distinct().Take(4).ToList();
        var line = telling.Count > 0 ? string.Join(" | ", telling) : said.LastOrDefault() ?? $"exit code {outcome.ExitCode}";
        return new GitException($"git {arguments.FirstOrDefault(word => !word.StartsWith('-'))}: {line}",
            outcome.TimedOut ? "raise workspace.gitTimeout or look at the network" : "try the same address with git by hand, as the service user");
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

        // ext:: and the like run any program that an address names.
        variables["GIT_ALLOW_PROTOCOL"] = "file:git:http:https:ssh";
        return variables;
    }
}
