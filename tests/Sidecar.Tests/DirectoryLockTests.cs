using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Tests;

/// <summary>One owner for a directory; one that is on its way out is waited for.</summary>
public sealed class DirectoryLockTests : IDisposable
{
    private readonly TempDir _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact(Timeout = 30_000)]
    public async Task A_holder_that_is_about_to_be_gone_is_waited_for_and_one_that_stays_is_named()
    {
        var first = DirectoryLock.Take(_directory.Path);
        Assert.Throws<ConfigurationException>(() => DirectoryLock.Take(_directory.Path, wait: false));
        Assert.Contains("is in use by another process", Assert.Throws<ConfigurationException>(() => DirectoryLock.Take(_directory.Path)).Message, StringComparison.Ordinal);

        var second = Task.Run(() => DirectoryLock.Take(_directory.Path), TestContext.Current.CancellationToken);
        Assert.NotSame(second, await Task.WhenAny(second, Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, TestContext.Current.CancellationToken)));
        first.Dispose();

        (await second).Dispose();
    }
}
