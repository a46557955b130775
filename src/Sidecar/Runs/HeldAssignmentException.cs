namespace FleetSidecar.Runs;

/// <summary>A held assignment could not be decided about; nothing was begun for it.</summary>
internal sealed class HeldAssignmentException(RunInput.Assigned assigned, Exception fault) : Exception(fault.Message, fault)
{
    public RunInput.Assigned Assigned => assigned;
}
