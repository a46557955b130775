using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Control;
using FleetSidecar.Ground.Loops;
using FleetSidecar.Identity;
using FleetSidecar.Link;
using FleetSidecar.Reload;
using FleetSidecar.Retention;
using FleetSidecar.Runs;
using FleetSidecar.SelfTest;
using FleetSidecar.Supervise;
using FleetSidecar.Workspaces;
using Microsoft.Extensions.DependencyInjection;

namespace FleetSidecar;

/// <summary>
/// The one place where loops are registered, so that a loop that runs is a loop that the watchdog watches.
/// </summary>
internal static class DaemonLoops
{
    /// <summary>Every loop of the daemon, in the order of their start, and the watchdog over all of them.</summary>
    public static IServiceCollection AddDaemonLoops(this IServiceCollection services) =>
        services
            .AddLoop<RunLoop>()
            .AddLoop<LinkLoop>()
            .AddLoop<ControlServer>()
            .AddLoop<SelfTestLoop>()
            .AddLoop<WorkspaceKeeper>()
            .AddLoop<RetentionLoop>()
            .AddLoop<SyncLoop>()
            .AddLoop<SuperviseLoop>()
            .AddLoop<ReloadLoop>()
            .AddHostedService<Watchdog>();

    private static IServiceCollection AddLoop<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T
    >(this IServiceCollection services)
        where T : DaemonLoop =>
        services
            .AddSingleton<T>()
            .AddSingleton<DaemonLoop>(all => all.GetRequiredService<T>())
            .AddHostedService(all => all.GetRequiredService<T>());
}
