namespace FleetSidecar.Protocol;

/// <summary>The versions of the wire.</summary>
public static class ProtocolVersions
{
    /// <summary>The vocabulary of AgentCom's hub: what is in force until <c>identified</c> says otherwise.</summary>
    public const int V1 = 1;

    /// <summary>Heartbeats, rejections, hand-offs and message ids; in force only after <c>identified</c> carries 2.</summary>
    public const int V2 = 2;
}
