using System.CommandLine;
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
internal static class LiveDatabaseCommand
{
    public static Command Create()
    {
        var (from, to) = (new Argument<string>("database"), new Argument<string>("copy"));
        var snapshot = new Command(LiveDatabase.SnapshotTask, "Copy what is committed into one file.") { from, to };
        snapshot.SetAction(arguments => Do(() =>
        {
            SqliteFile.Snapshot(arguments.GetValue(from)!, arguments.GetValue(to)!);
            return "";
        }));

        var (book, theirs, table, key, offered) = (new Argument<string>("book"), new Argument<string>("theirs"), new Argument<string>("table"), new Argument<string>("key"), new Argument<string>("offered"));
        var merge = new Command(LiveDatabase.MergeTask, "Add the contacts of another book.") { book, theirs, table, key, offered };
        merge.SetAction(arguments => Do(() =>
        {
            var (name, rows) = (arguments.GetValue(table)!, ContactsBook.Fitting(SqliteFile.Rows(arguments.GetValue(theirs)!, arguments.GetValue(table)!)));
            return SqliteFile.Merge(arguments.GetValue(book)!, name, arguments.GetValue(key)!, rows, ContactsBook.Offered(arguments.GetValue(offered)!)).ToString(CultureInfo.InvariantCulture);
        }));
        return new Command(LiveDatabase.Command, "Used by the sidecar itself.") { snapshot, merge }.Hide();
    }

    // Its parent may be gone, and the work may be one call of the engine that nothing interrupts.
    private static int Do(Func<string> work)
    {
        using var late = TimeProvider.System.CreateTimer(_ => Signals.ToProcess(Environment.ProcessId, Signals.Kill), null, LiveDatabase.LongestLife, Timeout.InfiniteTimeSpan);
        FileSizeLimit.Set(LiveDatabase.LargestWritten);
        try
        {
            Terminal.WriteRaw($"{LiveDatabase.Done} {work()}\n");
        }
        catch (InvalidDataException fault)
        {
            Terminal.WriteRaw($"{LiveDatabase.Damaged} {OneLine(fault.Message)}\n");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            Terminal.WriteRaw($"{LiveDatabase.Failed} {OneLine(fault.Message)}\n");
        }

        return ExitCodes.Ok;
    }

    private static string OneLine(string text) => Printable.Cut(text, 1000);
}
