namespace FleetSidecar.Ground.Processes;

/// <summary>
/// Every crash point of both programs. A place in the code can name no other one, and a test can arm each of these.
/// </summary>
/// <remarks>
/// The word that arms a point is its name in snake case: <see cref="SyncFetched"/> is <c>sync_fetched</c>. The
/// hundreds of a number are the point's <see cref="CrashFamily"/>, and the order within a hundred is the order in
/// time.
/// </remarks>
public enum CrashPointName
{
    Received = 100,
    Persisted = 101,
    Accepted = 102,
    Prepared = 103,
    Woken = 104,
    Confirmed = 105,
    Working = 106,
    ResultWritten = 107,
    Verified = 108,
    PullRequestOpened = 109,
    Pushed = 110,
    Reported = 111,
    Acknowledged = 112,
    Rescued = 113,
    AssignmentHeld = 114,
    RunSetAside = 115,

    SyncFetched = 200,
    SyncRead = 201,
    SyncRescued = 202,
    SyncJournaled = 203,
    SyncPlacing = 204,
    SyncStaged = 205,
    SyncOverlaid = 206,
    SyncTurning = 207,
    SyncTurned = 208,
    SyncPlaced = 209,
    IdentityWrittenOne = 210,
    IdentityWritten = 211,
    ContactsMerged = 212,
    IdentityBackedUpOne = 213,
    IdentityBackedUp = 214,
    SyncVerified = 215,
    SyncRestarted = 216,
    SyncRecorded = 217,
    SyncDone = 218,

    MemberNoted = 300,
    MemberStarted = 301,

    SetupRegistered = 400,
    SetupToken = 401,
    SetupConfig = 402,

    ConfigRead = 500,

    ImportToken = 600,
    ImportConfig = 601,

    RetentionMoved = 700,
    RetentionForgotten = 701,
}

/// <summary>The piece of work that a crash point lies in.</summary>
public enum CrashFamily
{
    /// <summary>A task's life.</summary>
    Task = 1,

    /// <summary>A sync of the fleet's code tree.</summary>
    Sync = 2,

    /// <summary>A start of a supervised member.</summary>
    Supervise = 3,

    /// <summary>The setup of a new machine.</summary>
    Setup = 4,

    /// <summary>A reload of the configuration.</summary>
    Reload = 5,

    /// <summary>An import of another program's configuration.</summary>
    Import = 6,

    /// <summary>The removal of a settled run.</summary>
    Retention = 7,
}
