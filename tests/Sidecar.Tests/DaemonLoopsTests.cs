using FleetSidecar.Ground.Loops;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FleetSidecar.Tests;

/// <summary>Every loop of the daemon is started, and watched by the watchdog.</summary>
public sealed class DaemonLoopsTests
{
    [Fact]
    public void Every_loop_that_there_is_is_registered_started_and_watched()
    {
        var services = new ServiceCollection();
        services.AddDaemonLoops();
        var loops = typeof(Watchdog).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(DaemonLoop)) && type != typeof(Watchdog)).ToHashSet();

        Assert.Contains(typeof(Reload.ReloadLoop), loops);
        Assert.Equal(loops, services.Where(service => service.ServiceType.IsSubclassOf(typeof(DaemonLoop))).Select(service => service.ServiceType).ToHashSet());
        Assert.Equal(loops.Count, services.Count(service => service.ServiceType == typeof(DaemonLoop)));
        Assert.Equal(loops.Count + 1, services.Count(service => service.ServiceType == typeof(IHostedService)));
    }

    [Fact]
    public void No_loop_is_started_past_the_one_place_that_has_it_watched()
    {
        var source = Directory.GetFiles(Path.Combine(TestProgram.Root, "src", "Sidecar"), "*.cs", SearchOption.AllDirectories);
        var loops = typeof(Watchdog).Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(DaemonLoop))).Select(type => type.Name).ToList();

        foreach (var file in source.Where(file => Path.GetFileName(file) != "DaemonLoops.cs"))
        {
            var text = File.ReadAllText(file);
            Assert.DoesNotContain(loops, loop => text.Contains($"AddHostedService<{loop}>", StringComparison.Ordinal)
                || text.Contains($"AddHostedService(all => all.GetRequiredService<{loop}>", StringComparison.Ordinal));
        }
    }
}
