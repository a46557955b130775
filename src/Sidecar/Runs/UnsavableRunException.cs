namespace FleetSidecar.Runs;

/// <summary>One run of a draft has no form that can be stored; the others have.</summary>
internal sealed class UnsavableRunException(string runId, Exception fault) : Exception(fault.Message, fault)
{
    public string RunId => runId;
}
