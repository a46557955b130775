using System.Globalization;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Identity;

/// <summary>The operator's word that what is in the tree now is this agent's. The only writer of the seal.</summary>
internal sealed class IdentitySeal(SidecarConfig config, IdentityPaths paths, IdentityBook book, IdentitySources sources, TimeProvider time)
{
    private const int KeptSeals = 20;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <exception cref="ConfigurationException">A file is missing, empty, a link, or does not hold its mark; nothing was sealed.</exception>
    public void Seal()
    {
        var now = time.GetUtcNow();
        var configured = book.Configured(paths.Tree);
        IdentitySources.RefuseTooMuch([.. configured.Select(one => one.Path)], paths.Tree);
        var judged = configured.Select(one => Look(one.Path, one.Options)).ToList();
        if (judged.Count == 0)
        {
            throw new ConfigurationException("no identity file is there to be sealed", "mend identity.files, or put the files into the tree");
        }

        var fresh = Path.Combine(paths.Home, "sealed.new");
        if (Directory.Exists(fresh))
        {
            Directory.Delete(fresh, recursive: true);
        }

        foreach (var (file, bytes) in judged)
        {
            var copy = Path.Combine(fresh, "files", file.Path);
            Directories.Make(Path.GetDirectoryName(copy)!);
            OwnedFile.Write(copy, bytes, Private);
        }

        var manifest = new SealedManifest { Agent = config.Agent.Id, Tree = paths.Tree, SealedAtUnixMs = now.ToUnixTimeMilliseconds(), Files = [.. judged.Select(one => one.File)] };
        var list = JsonSerializer.SerializeToUtf8Bytes(manifest, IdentityJson.Default.SealedManifest);
        OwnedFile.Write(Path.Combine(fresh, "manifest.json"), list.Length <= IdentityBook.LargestManifest ? list
            : throw new ConfigurationException($"the seal would have {list.Length} bytes, more than {IdentityBook.LargestManifest}", "seal fewer files, or files with shorter paths and marks"), Private);

        // A crash between the two renames leaves no seal, which refuses everything until the operator seals again; never half a seal.
        if (Directory.Exists(paths.Sealed))
        {
            Directory.Move(paths.Sealed, $"{paths.Sealed}-until-{now.ToString("yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture)}");
        }

        Directory.Move(fresh, paths.Sealed);
        DirectorySync.Flush(paths.Home);
        Prune();
    }

    // Called by their times, so their order is that of their names. What stays too long is in nobody's way.
    private void Prune()
    {
        try
        {
            foreach (var old in Directory.GetDirectories(paths.Home, $"{Path.GetFileName(paths.Sealed)}-until-*").OrderDescending(StringComparer.Ordinal).Skip(KeptSeals))
            {
                Directory.Delete(old, recursive: true);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
        }
    }

    private (SealedFile File, byte[] Bytes) Look(string path, IdentityFileOptions options)
    {
        if (IdentityPattern.Complaint(path) is { } odd || IdentityPattern.IsPattern(path))
        {
            throw new ConfigurationException($"{path} cannot be an identity file: {IdentityPattern.Complaint(path) ?? "its name holds '*' or '?'"}", "give it another name");
        }

        var file = new SealedFile
        {
            Path = path, Rule = options.Rule, Sha256 = "", Mark = options.Mark, Table = options.Table, MinimumRows = options.MinimumRows, Mode = 0, Owner = 0, Group = 0,
        };

        // Everything but the hash, which is what this makes.
        var source = sources.Judge(options.Rule == IdentityRule.Sealed ? file with { Rule = IdentityRule.Mark } : file, paths.Tree, IdentitySource.Live);
        if (!source.IsOurs)
        {
            throw new ConfigurationException($"{(source.State == IdentitySource.Unreadable ? "identity_unreadable" : "identity_contaminated")}: {Path.Combine(paths.Tree, path)} is not {config.Agent.Id}'s: {source.Detail}; nothing was sealed",
                "put this agent's own file there, or mend its rule in identity.files");
        }

        var facts = source.Facts!.Value;
        return (file with { Sha256 = IdentityRules.Sha256(source.Bytes), Mode = (int)facts.Mode, Owner = facts.Owner, Group = facts.Group }, source.Bytes!);
    }
}
