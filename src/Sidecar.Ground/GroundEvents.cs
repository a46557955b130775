namespace FleetSidecar.Ground;

/// <summary>Event ids 1 to 99: what the ground under both programs reports.</summary>
public static class GroundEvents
{
    public const int LoopDied = 1;
    public const int PassBroke = 2;
}
