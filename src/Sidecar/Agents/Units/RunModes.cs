using System.Globalization;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Units;

/// <summary>The modes of a run's directories: open to the group while they are the agent's, closed to everybody else when they are ours again.</summary>
/// <remarks>Done as their owner, and by what was opened: a link that takes a file's place in the wrong moment is not followed.</remarks>
internal sealed class RunModes(SidecarConfig config, AgentUnits units, ToolRunner tools, TimeProvider time)
{
    // What an agent has named here is read by git at each call, as a list of further stores of objects.
    private const string Lenders = ".git/objects/info/alternates";
    private const int LargestLenders = 1 << 20;
    private const UnixFileMode ForAll = UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    private const int Attempts = 3, AttemptsAtTheEnd = 2;

    // A link has no mode of its own, and no entries.
    private static readonly string[] NotOursAlone = ["(", "!", "-uid", UnixAccounts.Self.ToString(CultureInfo.InvariantCulture), "-o", "-type", "d", "-perm", "/077", ")", "-print", "-quit"];
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1), PatientLimit = TimeSpan.FromMinutes(5);

    /// <summary>The longest that a closing takes: its own limit once for the modes and once for the look, and the taking back before each attempt.</summary>
    public static TimeSpan Longest => (PatientLimit * 2) + (AgentUnits.Limit * Attempts);

    private static readonly Dictionary<string, string> Variables = new() { ["PATH"] = "/usr/bin:/bin", ["LC_ALL"] = "C" };

    /// <summary>Whether a run's directories were given away and are not known to be ours alone again, since whatever moment of whichever process.</summary>
    public bool AreGiven(string run) => File.Exists(Mark(run));

    /// <summary>Before they are given: we put files there while the agent works, as the group of what we made. What the agent makes is read as anybody would; nobody else comes this far.</summary>
    public async Task OpenAsync(string run, CancellationToken token)
    {
        NewFile.Write(Mark(run), []);
        foreach (var shared in new[] { config.MirrorsDirectory, config.OrdersDirectory })
        {
            // What all agents need; a umask, or a hand, may have closed it.
            if (PathFacts.Of(shared) is { Kind: PathKind.Directory } facts && (facts.Mode & ForAll) != ForAll)
            {
                File.SetUnixFileMode(shared, facts.Mode | ForAll);
            }
        }

        foreach (var directory in Of(run))
        {
            await ChangeAsync(directory, Opened, withoutLists: false, Limit, token);
        }
    }

    /// <summary>After nothing of the unit lives: they are taken back where its last command could not, and whatever the agent made of them, we can look at them and remove them, and nobody else.</summary>
    /// <remarks>
    /// The agent may have handed a directory or a file that it had open to a process of another run. Access lists go, and the modes close
    /// the directory, so what is open opens nothing any more, whomever the agent named in a list. A file that is open
    /// can still be written: what git pushes is known by its hash, and the one file that says where git reads is made anew.
    /// Such a process may also have made a directory between the taking and the closing, which is its own. Only where the last look finds
    /// every entry ours and every directory closed can nothing be swapped any more: nobody else may write in any of them.
    /// </remarks>
    /// <param name="run">The run.</param>
    /// <param name="isEnding">Somebody waits for the end of the run: once, and not for long. What is too large for that is closed before it is read.</param>
    /// <param name="token">Gives up.</param>
    /// <exception cref="StillGivenException">They are not ours alone. Until they are, git must not read in there.</exception>
    public async Task CloseAsync(string run, bool isEnding, CancellationToken token)
    {
        var (limit, started) = (isEnding ? Limit : PatientLimit, time.GetTimestamp());
        string? complaint = null;
        for (var (attempt, left) = (0, limit); attempt < (isEnding ? AttemptsAtTheEnd : Attempts) && left > TimeSpan.Zero; attempt++, left = limit - time.GetElapsedTime(started))
        {
            if (complaint is not null || Of(run).Any(directory => !IsOurs(directory)))
            {
                await units.TakeBackAsync(run);
            }

            foreach (var directory in Of(run))
            {
                await ChangeAsync(directory, Closed, withoutLists: true, left, token);
            }

            var found = Of(run).Any() ? await CallAsync(["find", .. Of(run), .. NotOursAlone], token, left) : null;
            if (found is null or { Ok: true, Output.Length: 0 })
            {
                if (Of(run).FirstOrDefault(directory => !FileRenewal.Renew(directory, Lenders, LargestLenders)) is { } old)
                {
                    throw new StillGivenException($"{old}/{Lenders} could not be made anew; is the disk full?");
                }

                File.Delete(Mark(run));
                return;
            }

            complaint = found.TimedOut ? $"the directories of {run} are too large to look at all of them within {limit}"
                : !found.Ok ? $"not everything in the directories of {run} could be looked at: {Printable.Cut(found.Error.Split('\n')[0], 200)}"
                : $"'{Printable.Cut(found.Output, 200)}' is not ours alone: a process of another run, or one that left its unit, works in the directories of {run}";
        }

        throw new StillGivenException(complaint!);
    }

    /// <summary>For directories in which git never reads: they stay as the agent left them.</summary>
    public void LeaveOpen(string run) => File.Delete(Mark(run));

    /// <summary>Whether a directory belongs to us; what is not there is nobody else's.</summary>
    public static bool IsOurs(string? path) => path is null || PathFacts.Of(path) is not { } facts || facts.Owner == UnixAccounts.Self;

    private IEnumerable<string> Of(string run) =>
        new[] { Path.Combine(config.RunsDirectory, run), Path.Combine(config.WorkspacesDirectory, run, "work") }.Where(Directory.Exists);

    // Beside the order and not in it: the order is withdrawn first.
    private string Mark(string run) => Path.Combine(config.OrdersDirectory, $"{run}.given");

    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode OfOthers = (UnixFileMode)0x3F; // 0077

    private static UnixFileMode Opened(bool isDirectory, UnixFileMode mode) =>
        (mode | UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | (isDirectory || (mode & Executable) != 0 ? UnixFileMode.UserExecute | UnixFileMode.GroupExecute : 0)) & ~UnixFileMode.OtherWrite;

    private static UnixFileMode Closed(bool isDirectory, UnixFileMode mode) =>
        (mode | UnixFileMode.UserRead | UnixFileMode.UserWrite | (isDirectory || (mode & Executable) != 0 ? UnixFileMode.UserExecute : 0)) & ~OfOthers;

    // What could not be changed, in a tree that is too deep for instance, is found by the look.
    private async Task ChangeAsync(string directory, Func<bool, UnixFileMode, UnixFileMode> change, bool withoutLists, TimeSpan limit, CancellationToken token)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(token);
        using var alarm = time.CancelAfter(limited, limit);
        try
        {
            await Task.Run(() => TreeRights.Set(directory, change, withoutLists, limited.Token), CancellationToken.None);
        }
        catch (OperationCanceledException) when (!token.IsCancellationRequested)
        {
        }
    }

    private async Task<ToolOutcome> CallAsync(string[] command, CancellationToken token, TimeSpan? limit = null) => await tools.RunAsync(command, Variables, "/", limit ?? Limit, token, room: 1000);
}
