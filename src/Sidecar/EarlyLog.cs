using FleetSidecar.Ground.Logs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FleetSidecar;

/// <summary>A log for the time before there is a daemon: to the journal, and to no file.</summary>
internal sealed class EarlyLog : IDisposable
{
    private readonly ServiceProvider _services;

    public EarlyLog(string source, string? agent = null)
    {
        _services = new ServiceCollection().AddLogging(logs => logs.AddFleetLogs(new Redactor(), file: null, new LogThreshold(LogLevel.Information), "fleet-sidecar", agent)).BuildServiceProvider();
        Log = _services.GetRequiredService<ILoggerFactory>().CreateLogger($"FleetSidecar.{source}");
    }

    public ILogger Log { get; }

    public void Dispose() => _services.Dispose();
}
