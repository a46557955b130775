namespace FleetHub;

/// <summary>Every event of the hub. Numbers are never used again; docs/operations.md says what to do about each.</summary>
internal static class HubEvents
{
    public const int StoreDamaged = 1001;
    public const int StoreUnavailable = 1002;
    public const int StoreOlder = 1003;

    public const int Assigned = 1100;
    public const int TaskTaken = 1101;
    public const int TaskRefused = 1102;
    public const int RunLost = 1103;

    public const int AgentUp = 1200;
    public const int AgentDown = 1201;
    public const int AgentSuperseded = 1202;
    public const int IdentifyRefused = 1203;
    public const int FrameRefused = 1204;
    public const int AgentIdle = 1205;
    public const int SocketFailed = 1206;
    public const int IdentityShared = 1207;
}
