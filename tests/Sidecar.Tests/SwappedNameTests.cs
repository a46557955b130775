using FleetSidecar.Agents;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Runs;
using Microsoft.Extensions.Logging.Abstractions;

namespace FleetSidecar.Tests;

/// <summary>An agent puts a link in the place of a file or a directory while the daemon uses it.</summary>
[Trait("kind", "a name is swapped between the look and the use")]
public sealed class SwappedNameTests : IDisposable
{
    private const string Secret = "token of the hub";

    // Long, so that it takes a while to be read.
    private static readonly string Report = $$"""{"status":"success","output":"{{new string('x', 1_000_000)}}"}""";
    private readonly TempDir _directory = new();

    // Another file system, where a rename cannot lead.
    private readonly DirectoryInfo _elsewhere = Directory.CreateDirectory($"/dev/shm/ft-{Guid.NewGuid():N}");

    public void Dispose()
    {
        _directory.Dispose();
        _elsewhere.Delete(recursive: true);
    }

    // The framework's move copies across file systems, and opens by name: what lay there by then was read with our rights.
    [Fact(Timeout = 120_000)]
    public async Task A_report_that_becomes_a_link_while_it_is_read_is_kept_as_it_was_read()
    {
        var results = _elsewhere.FullName;
        var config = Some.Config();
        var run = Some.Run();
        run = run with { Facts = run.Facts with { WokenWith = new WokenWith(run.Profile, results) } };
        var (file, kept) = (Path.Combine(results, $"{run.TaskId}.json"), _directory["result.json"]);
        _directory.Write("secret", Secret);
        var (link, read) = (Path.Combine(results, "link"), new ResultFiles(config, new Redactor(), NullLogger<ResultFiles>.Instance));
        using var watcher = new FileSystemWatcher(results) { NotifyFilter = NotifyFilters.LastAccess };
        var swaps = 0;
        watcher.Changed += (_, _) => Interlocked.Add(ref swaps, PathExchange.TryExchange(file, link) ? 1 : 0); // Its bytes were read this moment.
        watcher.EnableRaisingEvents = true;
        var swappedWhileRead = 0;
        for (var round = 0; round < 60 && swappedWhileRead < 4; round++)
        {
            var before = Volatile.Read(ref swaps);
            File.Delete(link);
            File.Delete(file);
            File.CreateSymbolicLink(link, _directory["secret"]);
            await File.WriteAllTextAsync(file, Report, TestContext.Current.CancellationToken);
            if (read.Read(run, _directory.Path, final: false) is not null) // Else the link was there before it was read.
            {
                Assert.Equal(Report.Length, new FileInfo(kept).Length);
                File.Delete(kept);
                swappedWhileRead += Volatile.Read(ref swaps) - before; // Here, or a moment before: most of them fall between the two.
            }
        }

        Assert.NotEqual(0, swappedWhileRead);
        Assert.Equal(Secret, await File.ReadAllTextAsync(_directory["secret"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_rename_that_is_none_changes_nothing_and_copies_nothing()
    {
        _directory.Write("secret", Secret);
        File.CreateSymbolicLink(_directory["link"], _directory["secret"]);
        Assert.Throws<IOException>(() => FileRename.Over(_directory["link"], Path.Combine(_elsewhere.FullName, "copy")));
        Assert.Empty(_elsewhere.GetFileSystemInfos());

        FileRename.Over(_directory["link"], _directory["other"]);
        Assert.Equal(_directory["secret"], new FileInfo(_directory["other"]).LinkTarget);
        Assert.Throws<IOException>(() => FileRename.Over(_directory["gone"], _directory["other"]));
    }

    [Fact]
    public void What_is_done_in_a_directory_happens_there_wherever_its_name_leads_by_then()
    {
        Directory.CreateDirectory(_directory["work/.git/fleet"]);
        Directory.CreateDirectory(_directory["outside"]);
        using (var inside = InsideDirectory.Open(_directory["work"], ".git", "fleet")!)
        {
            Directory.Move(_directory["work/.git/fleet"], _directory["moved"]);
            File.CreateSymbolicLink(_directory["work/.git/fleet"], _directory["outside"]);
            File.WriteAllText(inside["fence"], "x");
        }

        Assert.Empty(Directory.GetFileSystemEntries(_directory["outside"]));
        Assert.True(File.Exists(_directory["moved/fence"]));
        Assert.Null(InsideDirectory.Open(_directory["work"], ".git", "fleet"));
        Assert.Null(InsideDirectory.Open(_directory["work"], ".git", "gone"));
        Assert.Null(InsideDirectory.Open(_directory["work/.git/fleet"]));
    }
}
