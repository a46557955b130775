using Microsoft.Extensions.Logging;

namespace FleetSidecar.Ground.Logs;

/// <summary>What is worth a line at present; may be changed while the program runs.</summary>
public sealed class LogThreshold(LogLevel level)
{
    private volatile int _level = (int)level;

    public LogLevel Level
    {
        get => (LogLevel)_level;
        set => _level = (int)value;
    }
}
