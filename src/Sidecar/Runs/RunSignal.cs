namespace FleetSidecar.Runs;

/// <summary>What can happen to a run. <see cref="RunPolicy"/> reads them off the run's facts; <see cref="RunRules"/> says what each does.</summary>
internal enum RunSignal
{
    Accept,
    Prepare,
    Prepared,
    Wake,
    WakeAgain,
    FailOver,
    Launched,
    Proved,
    EndedWell,
    Verified,
    Submitted,
    Fail,
    Cancel,
    Supersede,
    HandOff,
    Acknowledged,
}
