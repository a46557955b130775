using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>The user's own files that every git reads. Without systemd an agent has the same home: a pipe there would hold each git until its time limit.</summary>
internal static class UserGitFiles
{
    // Git reads each of them whole.
    private const long Longest = 16 * 1024 * 1024;

    private const string NetRc = ".netrc", SshConfig = ".ssh/config", KnownHosts = ".ssh/known_hosts", MoreKnownHosts = ".ssh/known_hosts2", SystemSshConfig = "/etc/ssh/ssh_config";
    private static readonly string[] All = [".gitconfig", ".config/git/config", ".config/git/ignore", ".config/git/attributes", NetRc, SshConfig, KnownHosts, MoreKnownHosts];

    /// <summary>What keeps git from those that are no files, or larger than any that a person wrote; empty where all is well.</summary>
    /// <param name="home">The user's directory; null for none.</param>
    public static (IReadOnlyList<string> Words, IReadOnlyDictionary<string, string> Variables) Bypass(string? home)
    {
        if (string.IsNullOrEmpty(home))
        {
            return ([], new Dictionary<string, string>());
        }

        var words = new List<string>();
        var variables = new Dictionary<string, string>();
        if (IsTrap(Path.Combine(home, ".gitconfig"), isConfig: true) || IsTrap(Path.Combine(home, ".config/git/config"), isConfig: true))
        {
            variables["GIT_CONFIG_GLOBAL"] = "/dev/null";
        }

        if (IsTrap(Path.Combine(home, ".config/git/ignore")))
        {
            words.AddRange(["-c", "core.excludesFile=/dev/null"]);
        }

        if (IsTrap(Path.Combine(home, ".config/git/attributes")))
        {
            words.AddRange(["-c", "core.attributesFile=/dev/null"]);
        }

        if (IsTrap(Path.Combine(home, NetRc)))
        {
            // The library that git fetches with takes it from the home alone. Git finds its own configuration by name still, but not what that calls "~".
            variables["HOME"] = "/dev/null";
            variables["XDG_CONFIG_HOME"] = Path.Combine(home, ".config");
            if (File.Exists(Path.Combine(home, ".gitconfig")))
            {
                variables.TryAdd("GIT_CONFIG_GLOBAL", Path.Combine(home, ".gitconfig"));
            }
        }

        // Ssh asks the password file for the home, whatever the variable says.
        string[] ssh = [
            .. IsTrap(Path.Combine(home, SshConfig)) ? (string[])["-F", File.Exists(SystemSshConfig) ? SystemSshConfig : "/dev/null"] : [],
            .. IsTrap(Path.Combine(home, KnownHosts)) || IsTrap(Path.Combine(home, MoreKnownHosts)) ? (string[])["-oUserKnownHostsFile=/dev/null"] : [],
        ];
        if (ssh.Length > 0)
        {
            variables[Git.Ssh] = $"{Git.SshCommand} {string.Join(' ', ssh)}";
        }

        return (words, variables);
    }

    /// <summary>The first of them that git is kept from, or null.</summary>
    public static string? FirstTrap(string? home) => string.IsNullOrEmpty(home) ? null
        : All.Select(name => Path.Combine(home, name)).FirstOrDefault(path => IsTrap(path, isConfig: path.EndsWith("config", StringComparison.Ordinal) && !path.EndsWith(SshConfig, StringComparison.Ordinal)));

    // Operators keep such files elsewhere and link to them, or to nothing. Git passes over a directory, but not for a configuration.
    private static bool IsTrap(string path, bool isConfig = false) =>
        RealPath.Of(path) != "/dev/null" && PathFacts.Of(RealPath.Of(path) ?? path) is { } facts && facts.Kind switch
        {
            PathKind.File => facts.Length > Longest,
            PathKind.Directory => isConfig,
            PathKind.Link => false, // It leads nowhere.
            _ => true,
        };
}
