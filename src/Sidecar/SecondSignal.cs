using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using FleetSidecar.Ground;

namespace FleetSidecar;

/// <summary>The first SIGTERM or SIGINT is the host's: an orderly end. The second one, or one before there is a host, ends the process at once; nothing is lost by that, a crash is no worse.</summary>
internal sealed class SecondSignal : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;
    private int _seen;

    /// <summary>The host listens by now.</summary>
    public bool HostListens { get; set; }

    public SecondSignal() => _registrations = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, Count), PosixSignalRegistration.Create(PosixSignal.SIGINT, Count)];

    public void Dispose()
    {
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    [SuppressMessage("ApiDesign", "RS0030", Justification = "The one place where the process ends without its loops.")]
    private void Count(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _seen) > 1 || !HostListens)
        {
            Environment.Exit(ExitCodes.Ok);
        }
    }
}
