using System.Globalization;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Identity;
using FleetSidecar.Protocol;

namespace FleetSidecar.Cli;

/// <summary><c>fleet-sidecar live-database</c>: what <see cref="LiveDatabase"/> starts for one look at an agent's database, or one change of it.</summary>
/// <remarks>Not one of the command line's verbs: a look comes before each start of an agent, and their parser costs more than the look.</remarks>
internal static class LiveDatabaseCommand
{
    /// <summary>Does one task and prints one line: a word of <see cref="LiveDatabase"/>, and what there is to say.</summary>
    /// <param name="arguments">The task, and its paths and names.</param>
    public static int Run(string[] arguments)
    {
        // Its parent may be gone, and the work may be one call of the engine that nothing interrupts.
        using var late = TimeProvider.System.CreateTimer(_ => Signals.ToProcess(Environment.ProcessId, Signals.Kill), null, LiveDatabase.LongestLife, Timeout.InfiniteTimeSpan);
        try
        {
            FileSizeLimit.Set(LiveDatabase.LargestWritten);
            Terminal.WriteRaw($"{LiveDatabase.Done} {Do(arguments)}\n");
            return ExitCodes.Ok;
        }
        catch (InvalidDataException fault)
        {
            Terminal.WriteRaw($"{LiveDatabase.Damaged} {Printable.Cut(fault.Message, 1000)}\n");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            Terminal.WriteRaw($"{LiveDatabase.Failed} {Printable.Cut(fault.Message, 1000)}\n");
        }

        return ExitCodes.Failed;
    }

    // The engine removes whatever a journal beside the book names. Where another user may put one there, the kernel must keep it to the book's directory.
    private static void RequireLimit(string book, string theirs)
    {
        if (!ChangeLimit.TrySet(DirectoryOf(book), OwnDirectoryOf(theirs)) && TrustedPath.Doubt(Path.GetFullPath(book)) is { } doubt)
        {
            throw new IOException($"{doubt}, and this kernel has no Landlock, without which a file beside it could make us remove any file of ours");
        }
    }

    // The parent has looked where it really leads, and an agent may have put a link on the way since.
    private static string DirectoryOf(string file) => Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/";

    private static string OwnDirectoryOf(string file) => RealPath.Of(DirectoryOf(file)) ?? DirectoryOf(file);

    private static string Do(string[] arguments)
    {
        switch (arguments)
        {
            case [LiveDatabase.SnapshotTask, var database, var copy]:
                _ = ChangeLimit.TrySet(DirectoryOf(database), OwnDirectoryOf(copy));
                SqliteFile.Snapshot(database, copy);
                return "";
            case [LiveDatabase.MergeTask, var book, var theirs, var table, var key, var offered]:
                RequireLimit(book, theirs);
                var rows = ContactsBook.Fitting(SqliteFile.Rows(theirs, table));
                return SqliteFile.Merge(book, table, key, rows, ContactsBook.Offered(offered)).ToString(CultureInfo.InvariantCulture);
            default:
                throw new IOException("the sidecar itself calls this; see 'fleet-sidecar contacts --help'");
        }
    }
}
