namespace FleetSidecar.Gate;

/// <summary>Section <c>gate</c>: what may be merged without a person looking at it.</summary>
/// <remarks>Patterns: <c>*</c> and <c>?</c> within one name, <c>**</c> for any directories; one without a slash fits that name in any directory.</remarks>
internal sealed class GateOptions
{
    /// <summary>Paths that a change may touch; default <c>["**"]</c>. Anything else is for review.</summary>
    public List<string> AllowedPaths { get; set; } = ["**"];

    /// <summary>Paths that decide what runs where and with which secrets; a change to one escalates, upper and lower case alike. Default: pipelines, containers, infrastructure, units, keys, git's own files; see <c>fleet-sidecar config show</c>.</summary>
    public List<string> ForbiddenPaths { get; set; } = [.. GateDefaults.Forbidden];

    /// <summary>Paths that a person should see; a change to one is for review, upper and lower case alike. Default: dependency lists, build and configuration files, what agents read as instructions.</summary>
    public List<string> SensitivePaths { get; set; } = [.. GateDefaults.Sensitive];

    /// <summary>Paths where a file may become executable; default none.</summary>
    public List<string> ExecutablePaths { get; set; } = [];

    /// <summary>Most changed files, 0 to 10,000; default 50. More are for review.</summary>
    public int MaxFiles { get; set; } = 50;

    /// <summary>Most lines added and taken away together, 0 to 10,000,000; default 1,000. More are for review.</summary>
    public int MaxLines { get; set; } = 1_000;

    /// <summary>Most deleted files, 0 to 10,000; default 5. More escalate.</summary>
    public int MaxDeletedFiles { get; set; } = 5;

    /// <summary>Most bytes of all changed files together as they are afterwards, 0 to 1 GiB; default 1,048,576. More are for review. Lines say little of binary files and of very long lines.</summary>
    public long MaxBytes { get; set; } = 1_048_576;

    /// <summary>Largest changed file in bytes, 0 to 1 GiB; default 1,048,576. A larger one is for review.</summary>
    public long MaxFileBytes { get; set; } = 1_048_576;
}

/// <summary>The patterns that hold where nobody configured others.</summary>
internal static class GateDefaults
{
    public static readonly string[] Forbidden =
    [
        // What runs in pipelines, and who has to be asked.
        ".github/**", ".gitlab/**", ".gitea/**", ".forgejo/**", ".circleci/**", ".buildkite/**", ".woodpecker/**", ".teamcity/**", ".ci/**", ".gitlab-ci*.yml", ".travis.yml",
        ".drone.yml", ".woodpecker.yml", "Jenkinsfile*", "azure-pipelines*.yml", "bitbucket-pipelines.yml", "CODEOWNERS",
        // What git itself does with the repository.
        ".gitmodules", ".gitattributes", ".gitconfig", ".lfsconfig", ".husky/**", ".githooks/**", ".pre-commit-config.yaml",
        // What runs on machines.
        "Dockerfile*", "*.dockerfile", "Containerfile*", "docker-compose*.yml", "docker-compose*.yaml", "compose.yml", "compose.yaml", "*.tf", "*.tfvars", "*.hcl",
        "**/k8s/**", "**/kubernetes/**", "**/helm/**", "**/charts/**", "**/ansible/**", "*.service", "*.timer", "*.socket", "**/systemd/**", "crontab*", "Vagrantfile",
        // Secrets, and where package managers take their packages from.
        ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "id_rsa*", "id_ed25519*", "**/secrets/**", ".npmrc", ".yarnrc*", ".pypirc", ".netrc", "pip.conf",
        // Who an agent is.
        "SOUL.md", "IDENTITY.md",
    ];

    public static readonly string[] Sensitive =
    [
        "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock*", "requirements*.txt", "pyproject.toml", "poetry.lock", "uv.lock", "Pipfile*",
        "setup.py", "setup.cfg", "go.mod", "go.sum", "Cargo.toml", "Cargo.lock", "Gemfile*", "*.gemspec", "composer.json", "composer.lock", "pom.xml", "*.gradle", "*.gradle.kts",
        "*.csproj", "*.fsproj", "*.props", "*.targets", "*.sln", "packages.lock.json", "nuget.config", "global.json", "mix.exs", "mix.lock",
        "Makefile", "CMakeLists.txt", "*.mk", "*.config.js", "*.config.ts", "*.config.mjs", "*.config.cjs", "tsconfig*.json", "appsettings*.json", "*.ini", "**/config/**", "**/migrations/**",
        "conftest.py", "build.rs", ".vscode/**", ".idea/**", "AGENTS.md", "CLAUDE.md", "GEMINI.md", "TOOLS.md", ".claude/**", ".codex/**", ".cursor/**",
    ];
}
