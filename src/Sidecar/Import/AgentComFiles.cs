using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Setup;

namespace FleetSidecar.Import;

/// <summary>
/// What lies on the disk of an agent of AgentCom: its sidecar's configuration, and the directory that its onboarding
/// made.
/// </summary>
/// <param name="Config">The keys of the configuration.</param>
/// <param name="AgentDirectory"><c>~/.agentcom/NAME</c>; null where there is none.</param>
/// <param name="Progress">
/// The keys of <c>.onboard-progress.json</c> in it, which holds the token too; null where there is none that can be
/// read.
/// </param>
/// <param name="ActiveTask">The task that the old sidecar's queue holds, or null.</param>
/// <param name="Imported">The token that an earlier import of this agent wrote, or null.</param>
internal sealed record AgentComFiles(
    AgentComKeys Config,
    string? AgentDirectory,
    AgentComKeys? Progress,
    string? ActiveTask,
    string? Imported = null
)
{
    private const string ProgressFile = ".onboard-progress.json",
        Home = ".agentcom";
    private const int LargestFile = 1024 * 1024;

    /// <summary>Reads everything; changes nothing.</summary>
    /// <param name="file">The configuration of AgentCom's sidecar.</param>
    /// <param name="agentDirectory">Where the agent's directory is; null looks for it.</param>
    /// <exception cref="ConfigurationException">The configuration cannot be read, or the directory that was named is
    /// not there.</exception>
    public static AgentComFiles Read(string file, string? agentDirectory)
    {
        if (Directory.Exists(file))
        {
            throw new ConfigurationException(
                $"{file} is a directory",
                "name the file itself, for example ~/.agentcom/NAME/repo/sidecar/config.json"
            );
        }

        var config = AgentComKeys.Parse(file, ConfigFiles.ReadOne(file));
        if (agentDirectory is not null && !Directory.Exists(agentDirectory))
        {
            throw new ConfigurationException(
                $"the agent's directory {agentDirectory} is not there",
                "leave out --agent-dir, or name the directory that AgentCom's onboarding made"
            );
        }

        var directory = agentDirectory ?? Above(file) ?? InHome(config.Optional("agent_id").Text);
        var progress = directory is null ? null : TryRead(Path.Combine(directory, ProgressFile));
        var queue = TryRead(Path.Combine(Path.GetDirectoryName(file)!, "queue.json"));
        return new AgentComFiles(config, directory, progress, queue?.ActiveTask());
    }

    // The onboarding puts the checkout with the configuration inside the agent's directory.
    private static string? Above(string file)
    {
        for (var at = Path.GetDirectoryName(file); at is not null; at = Path.GetDirectoryName(at))
        {
            if (Path.GetFileName(Path.GetDirectoryName(at)) == Home)
            {
                return at;
            }
        }

        return null;
    }

    private static string? InHome(string? agent) =>
        agent is not null
        && Protocol.TaskIds.IsValid(agent)
        && agent is not ("." or "..")
        && Environment.GetEnvironmentVariable("HOME") is { } home
        && Path.IsPathFullyQualified(home)
        && Path.Combine(home, Home, agent) is var directory
        && Directory.Exists(directory)
            ? directory
            : null;

    // Files that only help: one that is odd counts as none.
    private static AgentComKeys? TryRead(string file) =>
        OutsideFile.Read(file, LargestFile, followLink: false) is { } bytes
            ? AgentComKeys.TryParse(file, bytes)
            : null;
}

/// <summary>This machine's programs, and the files beside AgentCom's configuration.</summary>
internal sealed class MachinePlaces(string directory, string? searchPath) : IPlaces
{
    public string? Find(string program) =>
        program.Contains('/', StringComparison.Ordinal)
            ? Path.GetFullPath(Path.Combine(directory, program)) is var path && FileAccessCheck.MayExecute(path)
                ? path
                : null
            : FirstProfile.OnPath(program, searchPath, FileAccessCheck.MayExecute);

    public string? FileBeside(string word) =>
        word.Length > 0
        && !word.Contains('\0', StringComparison.Ordinal)
        && !Path.IsPathFullyQualified(word)
        && Path.GetFullPath(Path.Combine(directory, word)) is var path
        && File.Exists(path)
            ? path
            : null;
}
