namespace FleetSidecar.Ground;

/// <summary>Every exit code of both programs. The unit files rely on 64 and 78 (never restarted) and on 70 (restarted).</summary>
public static class ExitCodes
{
    /// <summary>Asked to stop, or the command did what was asked.</summary>
    public const int Ok = 0;

    /// <summary>The command was understood and refused, or its subject is in trouble; the line on stderr says which.</summary>
    public const int Failed = 1;

    /// <summary>Of <c>gate check</c>: a person has to look at the change. Its 0 says that nobody has to.</summary>
    public const int GateReview = 10;

    /// <summary>Of <c>gate check</c>: something about the change is wrong or dangerous.</summary>
    public const int GateEscalate = 20;

    /// <summary>The command line is wrong (EX_USAGE).</summary>
    public const int Usage = 64;

    /// <summary>The daemon or hub does not answer (EX_UNAVAILABLE).</summary>
    public const int Unavailable = 69;

    /// <summary>A loop died (EX_SOFTWARE).</summary>
    public const int LoopDied = 70;

    /// <summary>Configuration or identity is wrong (EX_CONFIG).</summary>
    public const int Config = 78;
}
