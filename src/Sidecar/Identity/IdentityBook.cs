using System.IO.Enumeration;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.Identity;

/// <summary>Which files are identity files, and what makes each ours: the seal, and whatever a configured pattern finds in the tree besides.</summary>
internal sealed class IdentityBook(SidecarConfig config, IdentityPaths paths)
{
    /// <summary>Longest seal: more than most files need with the longest paths that are taken.</summary>
    public const int LargestManifest = 16 * 1024 * 1024;

    private const int MostFiles = 10_000;

    /// <summary>The operator's seal.</summary>
    /// <exception cref="ConfigurationException">There is none, it cannot be read, or it is another agent's.</exception>
    public SealedManifest Manifest()
    {
        if (PathFacts.Of(paths.ManifestFile) is null)
        {
            throw new ConfigurationException("identity_not_sealed: nobody has sealed this agent's identity files", "look at the files in the tree, then run 'fleet-sidecar identity seal'");
        }

        try
        {
            var manifest = OutsideFile.Read(paths.ManifestFile, LargestManifest, followLink: false) is { } bytes
                ? OutsideJson.Read(bytes, IdentityJson.Default.SealedManifest, out var problem) ?? throw new JsonException(problem) : throw new JsonException("it cannot be read");
            if (manifest.Files.FirstOrDefault(file => file is null || IdentityPattern.Complaint(file.Path) is not null || IdentityPattern.IsPattern(file.Path)) is var odd && manifest.Files.Any(file => file == odd))
            {
                throw new JsonException($"it names a file '{odd?.Path}'");
            }

            return manifest.Agent == config.Agent.Id ? manifest
                : throw new ConfigurationException($"identity_contaminated: the seal in {paths.Sealed} is that of agent {manifest.Agent}, not of {config.Agent.Id}",
                    "give this sidecar a state directory of its own, or seal anew with 'fleet-sidecar identity seal' after looking at the files");
        }
        catch (JsonException fault)
        {
            throw new ConfigurationException($"identity_not_sealed: {paths.ManifestFile}: {fault.Message}", "seal anew with 'fleet-sidecar identity seal' after looking at the files", fault);
        }
    }

    /// <summary>Every identity file: the sealed ones, those that were configured since, and those that a pattern finds in a tree now.</summary>
    /// <exception cref="SidecarException">There are more than can be looked at before each start of an agent.</exception>
    public IReadOnlyList<SealedFile> Files(SealedManifest manifest, string tree)
    {
        var known = manifest.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
        foreach (var (path, options) in Configured(tree))
        {
            known.TryAdd(path, Unsealed(path, options));
        }

        if (known.Count > MostFiles)
        {
            throw new SidecarException($"identity_unreadable: more than {MostFiles} files are identity files, sealed or in {tree}; nothing is written over them", "move away what is no identity, and seal again");
        }

        return [.. known.Values.OrderBy(file => file.Path, StringComparer.Ordinal)];
    }

    /// <summary>Configured paths with what they say; patterns are looked up in the tree. The first entry that fits a path counts.</summary>
    /// <exception cref="SidecarException">There are too many.</exception>
    public IReadOnlyList<(string Path, IdentityFileOptions Options)> Configured(string tree)
    {
        var found = config.Identity.Files.SelectMany(options => IdentityPattern.IsPattern(options.Path) ? Find(tree, options.Path).Select(path => (Path: path, Options: options)) : [(options.Path, options)])
            .DistinctBy(one => one.Path, StringComparer.Ordinal).Take(MostFiles + 1).ToList();
        return found.Count <= MostFiles ? found : throw new SidecarException($"identity_unreadable: more than {MostFiles} files in {tree} are identity files; nothing is written over them",
            $"look at what was added where '{found[^1].Options.Path}' fits, and move away what is no identity");
    }

    /// <summary>The identity files of these paths, without a look into the tree: what a sync planned is finished or undone whatever was added there since.</summary>
    public IReadOnlyList<SealedFile> Files(SealedManifest manifest, IEnumerable<string> paths)
    {
        var known = manifest.Files.ToDictionary(file => file.Path, StringComparer.Ordinal);
        return [.. paths.Select(path => known.GetValueOrDefault(path)
            ?? (config.Identity.Files.FirstOrDefault(options => options.Path == path || (IdentityPattern.IsPattern(options.Path) && IdentityPattern.Matches(options.Path, path))) is { } options ? Unsealed(path, options) : null)).OfType<SealedFile>()];
    }

    /// <summary>What git must never write, remove or read: sealed and configured paths with what SQLite keeps beside a database, as pathspecs.</summary>
    public IReadOnlyList<string> Untouchable(SealedManifest? manifest)
    {
        var plain = (manifest?.Files ?? []).Select(file => (file.Path, file.Rule)).Concat(config.Identity.Files.Select(file => (file.Path, file.Rule))).Distinct();
        return [.. plain.Where(file => IdentityPattern.IsPattern(file.Path) || !IsCovered(file.Path, file.Rule)).SelectMany(file => file.Rule == IdentityRule.Sqlite ? Companions(file.Path).Prepend(file.Path) : [file.Path]).Distinct()];
    }

    // Thousands of notes are one pathspec, and not more than git takes in one call.
    private bool IsCovered(string path, string rule) => config.Identity.Files.Any(options => IdentityPattern.IsPattern(options.Path) && (rule != IdentityRule.Sqlite || options.Rule == rule) && IdentityPattern.Matches(options.Path, path));

    public static IEnumerable<string> Companions(string database) => [$"{database}-wal", $"{database}-shm", $"{database}-journal"];

    // Judged by the configuration alone. A file that must be sealed and is not cannot be proved ours: its hash is nobody's.
    private static SealedFile Unsealed(string path, IdentityFileOptions options) => new()
    {
        Path = path, Rule = options.Rule, Sha256 = "", Mark = options.Mark, Table = options.Table, MinimumRows = options.MinimumRows,
        Mode = (int)(UnixFileMode.UserRead | UnixFileMode.UserWrite), Owner = 0, Group = 0,
    };

    /// <summary>The paths in the tree that one configured path means; without those that cannot be reached, and not more than are looked at.</summary>
    public static IReadOnlyList<string> Reachable(string tree, string path)
    {
        try
        {
            return IdentityPattern.IsPattern(path) ? Find(tree, path) : [path];
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static List<string> Find(string tree, string pattern)
    {
        var start = IdentityPattern.Parents(pattern).LastOrDefault() is { } parent ? Path.Combine(tree, parent) : tree;
        if (PathFacts.Of(start + "/.") is not { Kind: PathKind.Directory })
        {
            return [];
        }

        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false,
            MaxRecursionDepth = pattern.Contains("**", StringComparison.Ordinal) ? 32 : pattern.Count(letter => letter == '/'),
        };
        return [.. new FileSystemEnumerable<string>(start, (ref FileSystemEntry entry) => Path.GetRelativePath(tree, entry.ToFullPath()), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory || (entry.Attributes & FileAttributes.ReparsePoint) != 0,
            ShouldRecursePredicate = (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0 && !entry.FileName.SequenceEqual(".git"),
        }.Where(path => IdentityPattern.Matches(pattern, path) && !path.EndsWith(".fleet-sidecar.tmp", StringComparison.Ordinal)).Take(MostFiles + 1)];
    }
}
