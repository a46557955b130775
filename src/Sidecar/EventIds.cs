namespace FleetSidecar;

/// <summary>Every event of the daemon, a block of a hundred a feature. Numbers are never used again; docs/operations.md says what to do about each.</summary>
internal static class EventIds
{
    public const int Starting = 100;
    public const int Stopping = 101;
    public const int StoreDamaged = 102;
    public const int StoreUnavailable = 103;
    public const int StoreRecovered = 104;
    public const int ReserveGivenUp = 113;
    public const int StoreHolderEnded = 114;
    public const int StoppedWithoutStore = 115;
    public const int OrphanStopped = 105;
    public const int LoopOverdue = 106;
    public const int RunUnreadable = 107;
    public const int NotSetUp = 108;
    public const int GuaranteesLost = 109;
    public const int ConfigReloaded = 110;
    public const int ConfigNotReloaded = 111;
    public const int ConfigNeedsRestart = 112;

    public const int LinkUp = 200;
    public const int LinkDown = 201;
    public const int LinkRefused = 202;
    public const int FrameRefused = 203;
    public const int HubError = 204;
    public const int RateLimited = 205;
    public const int RestartAsked = 207;
    public const int HubMessageIgnored = 208;
    public const int LinkBroke = 209;
    public const int LinkRedirected = 210;
    public const int CertificateStoreRepaired = 211;

    public const int PrepareAgain = 300;
    public const int SubmitAgain = 301;
    public const int RefNotKept = 302;
    public const int StrayBranch = 303;
    public const int WorkRescued = 304;
    public const int RescueFailed = 305;
    public const int WorkspaceRemoved = 306;
    public const int WorkspaceKept = 307;
    public const int LeftoverStays = 308;
    public const int PushNotForeseen = 320;
    public const int PushWouldFail = 321;
    public const int PushHeld = 322;

    public const int RunsRemoved = 309;
    public const int RunFilesRemoved = 310;
    public const int RetentionFailed = 311;
    public const int OutputDropped = 312;
    public const int StoreShrunk = 313;
    public const int MirrorRemoved = 314;
    public const int DisplacedRemoved = 315;

    public const int RunMoved = 400;
    public const int RunsLoaded = 401;
    public const int AssignmentRejected = 402;
    public const int RunFailed = 403;
    public const int RunReconciled = 404;
    public const int FailedOver = 405;
    public const int BreakerMoved = 406;
    public const int IntakeChanged = 407;
    public const int AssignmentHeld = 408;
    public const int AssignmentDropped = 409;
    public const int InputBroke = 410;
    public const int RunSetAside = 411;
    public const int RunNotFollowed = 412;
    public const int RunNotReconciled = 413;
    public const int ReportNotCounted = 414;
    public const int ResultPutAside = 415;

    public const int AgentStarted = 500;
    public const int AgentAdopted = 501;
    public const int WakeNotStarted = 502;
    public const int AgentStopping = 503;
    public const int OrderFailed = 504;
    public const int OrderBroke = 505;
    public const int AgentNotStopped = 506;
    public const int AgentStuck = 507;
    public const int DirectoriesStillGiven = 508;
    public const int AgentTextRepaired = 510;

    public const int SelfTestFailed = 600;
    public const int SelfTestPassed = 601;
    public const int SafeMode = 602;
    public const int SafeModeLeft = 603;
    public const int StartsNotKept = 604;
    public const int StartHeldBack = 605;

    public const int ControlReady = 700;
    public const int ControlRequestFailed = 701;
    public const int ControlSocketMadeAgain = 702;
    public const int ControlSocketMissing = 703;

    public const int IdentitySynced = 800;
    public const int IdentityCollision = 801;
    public const int IdentityContaminated = 802;
    public const int IdentityRestored = 803;
    public const int SyncRolledBack = 804;
    public const int SyncFailed = 805;
    public const int SyncFinished = 806;
    public const int SyncReportsNotKept = 807;

    public const int PullRequestReady = 900;
    public const int PullRequestFailed = 901;
    public const int ForgeWaiting = 902;

    public const int DeadmanActed = 1010;
    public const int DeadmanReported = 1011;
    public const int DeadmanRecovered = 1012;
    public const int AlertHookFailed = 1013;
    public const int LastGoodNotKept = 1014;

    public const int MemberDown = 1500;
    public const int MemberStarted = 1501;
    public const int MemberNotStarted = 1502;
    public const int MemberStuck = 1503;
    public const int MemberGivenUp = 1504;
    public const int HeartbeatStale = 1505;
    public const int MemberRecovered = 1506;
    public const int MemberUnclear = 1507;
    public const int MembersEndWithUs = 1508;
    public const int MemberNotKept = 1509;
}
