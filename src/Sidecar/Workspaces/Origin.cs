using System.Text;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Workspaces;

/// <summary>Speaks with origins, and looks into clones that an agent has had in its hands, without believing a word of their configuration.</summary>
/// <remarks>
/// A clone's own <c>.git/config</c> can name programs (filters, helpers, monitors) and other addresses. So whatever reads the work
/// tree or uses the network runs from a bare repository of ours, with the clone's objects; refs and history are looked at through a
/// <see cref="GitView"/>. Nowhere does git read the clone's configuration.
/// </remarks>
internal sealed class Origin(Git git, SidecarConfig config)
{
    private const int LargestOwnFile = 4096;
    // What stands here counts before every .gitattributes, and "!" makes an attribute one that nobody named.
    public const string AsTheyLie = "* !working-tree-encoding !filter !ident !text !eol !crlf\n";

    private readonly string _asTheyLie = Path.Combine(config.StateDirectory, "control-raw.git");
    private readonly string _control = Path.Combine(config.StateDirectory, "control.git");

    /// <summary>What each run's git is doing at present.</summary>
    public GitProgress Progress => git.Progress;

    /// <summary>What the origin's refs of these names or patterns point to.</summary>
    /// <exception cref="GitException">It could not be asked.</exception>
    public async Task<RemoteRefs> RefsAsync(string address, CancellationToken token, params string[] names) =>
        RemoteRefs.Parse(await git.RunAsync(await ControlAsync(_control, token), token, ["ls-remote", "--symref", "--", address, .. names]));

    /// <summary>Refs and history of a clone. That its history ends somewhere is not believed: git writes so at a fetch with a depth, and all of it is there.</summary>
    /// <exception cref="GitException">The clone is gone, or not one that can be looked at.</exception>
    public Task<ToolOutcome> AskAsync(string work, CancellationToken token, params string[] arguments)
    {
        Require(work);
        var view = GitView.Of(Path.Combine(work, ".git"), Path.Combine(Path.GetDirectoryName(work)!, GitView.Name), Mirrors.DirectoryOf(config));
        return git.TryAsync(work, new Dictionary<string, string> { ["GIT_DIR"] = view, ["GIT_NO_REPLACE_OBJECTS"] = "1", ["GIT_SHALLOW_FILE"] = "/dev/null" }, token, arguments);
    }

    /// <summary>Anything else on a clone's objects. Its files are not looked at (a push would read attributes there) unless <c>GIT_WORK_TREE</c> is given.</summary>
    public async Task<string> RunAsync(string work, CancellationToken token, params string[] arguments)
    {
        var outcome = await TryAsync(work, [], token, arguments);
        return outcome.Ok ? outcome.Output.Trim() : throw GitFaults.Explain(arguments, outcome);
    }

    /// <summary>The same, with an index or an author; a failure is the caller's to judge.</summary>
    public Task<ToolOutcome> TryAsync(string work, Dictionary<string, string> more, CancellationToken token, params string[] arguments) => TryAsync(work, more, ToolRunner.OutputLimit, token, arguments);

    /// <summary>The same with room for a long list.</summary>
    public async Task<ToolOutcome> TryAsync(string work, Dictionary<string, string> more, int room, CancellationToken token, params string[] arguments)
    {
        Require(work);
        GitView.Require(Path.Combine(work, ".git"), Mirrors.DirectoryOf(config));
        return await TryInAsync(_control, work, more, room, arguments, token);
    }

    /// <summary>The same where no attribute of the repository counts: every file is what it is, byte for byte.</summary>
    public async Task<ToolOutcome> TryAsTheyLieAsync(string work, Dictionary<string, string> more, CancellationToken token, params string[] arguments)
    {
        Require(work);
        GitView.Require(Path.Combine(work, ".git"), Mirrors.DirectoryOf(config));
        return await TryInAsync(_asTheyLie, work, more, ToolRunner.OutputLimit, arguments, token);
    }

    /// <summary>What a fresh checkout of a version would be in a clone.</summary>
    /// <param name="work">The clone.</param>
    /// <param name="tools">Removes what was made.</param>
    /// <param name="scratch">A directory to be made and removed.</param>
    /// <param name="settings">Of git, before each command.</param>
    public FreshCheckout Fresh(string work, ToolRunner tools, string scratch, string[] settings)
    {
        var objects = Path.Combine(work, ".git", "objects");
        return new FreshCheckout(async (call, token) =>
        {
            Require(work);
            GitView.Require(Path.Combine(work, ".git"), Mirrors.DirectoryOf(config));
            var variables = new Dictionary<string, string>
            {
                ["GIT_OBJECT_DIRECTORY"] = objects, ["GIT_DIR"] = await ControlAsync(call.AsTheyLie ? _asTheyLie : _control, token), ["GIT_WORK_TREE"] = call.WorkTree, ["GIT_INDEX_FILE"] = call.Index,
            };
            foreach (var (name, value) in call.More)
            {
                variables[name] = value;
            }

            return await git.TryAsync(work, variables, token, [.. settings, .. call.Arguments]);
        }, objects, tools, scratch);
    }

    private async Task<ToolOutcome> TryInAsync(string control, string work, Dictionary<string, string> more, int room, string[] arguments, CancellationToken token)
    {
        return await git.TryAsync(work, new Dictionary<string, string>(more)
        {
            ["GIT_DIR"] = await ControlAsync(control, token), ["GIT_OBJECT_DIRECTORY"] = Path.Combine(work, ".git", "objects"),
        }, room, token, arguments);
    }

    private static void Require(string work)
    {
        Git.Require(work);
        if (Clones.Displaced(work) is { } displaced)
        {
            throw new GitException(GitFaults.Damaged, displaced, "look at the directory; nothing in it is touched");
        }
    }

    /// <summary>Every commit in the clone's own object store, whether or not anything there still names it; null where there are too many objects to list.</summary>
    /// <param name="work">The clone.</param>
    /// <param name="scratch">A directory to be made and removed: the store without the mirror that it borrows from.</param>
    /// <param name="token">Gives up.</param>
    public async Task<IReadOnlyList<string>?> OwnCommitsAsync(string work, string scratch, CancellationToken token)
    {
        const int Room = 32_000_000;
        if (Directory.Exists(scratch))
        {
            Directory.Delete(scratch, recursive: true); // Links, which are removed and not followed.
        }

        Directory.CreateDirectory(scratch);
        foreach (var part in Directory.EnumerateFileSystemEntries(Path.Combine(work, ".git", "objects")).Where(part => Path.GetFileName(part) != "info"))
        {
            File.CreateSymbolicLink(Path.Combine(scratch, Path.GetFileName(part)), part);
        }

        string[] list = ["cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectname)"];
        var outcome = await git.TryAsync(work, new Dictionary<string, string> { ["GIT_DIR"] = await ControlAsync(_control, token), ["GIT_OBJECT_DIRECTORY"] = scratch }, Room, token, list);
        Directory.Delete(scratch, recursive: true);
        return !outcome.Ok ? throw GitFaults.Explain(list, outcome)
            : outcome.Output.Length >= Room ? null
            : [.. outcome.Output.Split('\n').Where(line => line.StartsWith("commit ", StringComparison.Ordinal)).Select(line => line["commit ".Length..])];
    }

    // Holds no object and no ref: only a configuration that nobody else writes. Made beside and renamed, so that it is whole or not there.
    private async Task<string> ControlAsync(string control, CancellationToken token)
    {
        if (IsSound(control))
        {
            return control;
        }

        var beside = $"{control}.{Guid.NewGuid():N}";
        Directory.CreateDirectory(config.StateDirectory);
        await git.RunAsync(config.StateDirectory, token, "init", "--quiet", "--bare", "--template=", "--", beside);
        File.SetUnixFileMode(beside, PrivateDirectory.Mode);
        Directory.CreateDirectory(Path.Combine(beside, "info"));
        NewFile.Write(Path.Combine(beside, "info", "attributes"), Encoding.ASCII.GetBytes(control == _asTheyLie ? AsTheyLie : ""));
        if (!IsSound(control) && PathFacts.Of(control) is { } facts)
        {
            ClearPlace.Rename(control, facts); // No repository of ours, or what is left of one.
        }

        try
        {
            Directory.Move(beside, control);
        }
        catch (IOException) when (IsSound(control))
        {
            Directory.Delete(beside, recursive: true); // Another run was quicker; it made the same.
        }

        return control;
    }

    // It is not flushed when it is made: after a power cut its files may be there and be empty, or hold zeros.
    private bool IsSound(string repository)
    {
        return Holds("HEAD", "ref: refs/heads/") && Holds("config", "[core]") && (repository != _asTheyLie || Holds("info/attributes", AsTheyLie))
            && ((string[])["refs", "objects"]).All(name => PathFacts.Of(Path.Combine(repository, name)) is { Kind: PathKind.Directory });

        bool Holds(string name, string beginning) => OutsideFile.Read(Path.Combine(repository, name), LargestOwnFile, followLink: false) is { } bytes
            && OutsideText.Decode(bytes) is var text && text.StartsWith(beginning, StringComparison.Ordinal) && !text.Contains('\0', StringComparison.Ordinal);
    }
}
