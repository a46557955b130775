namespace FleetSidecar.Protocol;

/// <summary>Every size and count that either end enforces before it believes a frame.</summary>
/// <remarks>
/// Lengths are counted in UTF-16 code units unless the name says bytes. A frame that breaks a limit is refused with
/// <see cref="RefusalCode.Invalid"/> (or <see cref="RefusalCode.TooLarge"/>) and the link stays up.
/// </remarks>
public static class WireLimits
{
    /// <summary>Largest frame in either direction, in bytes of UTF-8: 1 MiB. Enforced at the socket, before parsing.</summary>
    public const int MaxFrameBytes = 1024 * 1024;

    /// <summary>Most bytes of a connection's first frame, <c>identify</c>: its sender has shown no token yet.</summary>
    public const int MaxFirstFrameBytes = 8 * 1024;

    /// <summary>Deepest nesting of JSON objects and arrays in a frame.</summary>
    public const int MaxDepth = 32;

    /// <summary>Longest agent id.</summary>
    public const int MaxAgentId = 128;

    /// <summary>Longest task id. Ids are letters, digits, <c>.</c>, <c>_</c> and <c>-</c>, and start with a letter or digit.</summary>
    public const int MaxTaskId = 128;

    /// <summary>Longest token.</summary>
    public const int MaxToken = 256;

    /// <summary>Longest display name, capability or status word.</summary>
    public const int MaxName = 256;

    /// <summary>Longest task description.</summary>
    public const int MaxDescription = 65_536;

    /// <summary>Longest failure reason or error text; a longer one is cut by the sender.</summary>
    public const int MaxReason = 2_000;

    /// <summary>Longest repository address.</summary>
    public const int MaxRepo = 512;

    /// <summary>Most entries in any list of a frame (capabilities, hints, criteria, steps, runs).</summary>
    public const int MaxListItems = 256;

    /// <summary>Longest text of one list entry (a criterion, a hint, a step).</summary>
    public const int MaxItemText = 8_192;

    /// <summary>Longest output that a sidecar puts into a result; the rest stays in the run's files.</summary>
    public const int MaxResultOutput = 65_536;
}
