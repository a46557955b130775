using FleetSidecar.Drain;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Everything that reaches the run loop: a closed family.</summary>
internal abstract record RunInput
{
    private RunInput()
    {
    }

    /// <summary>The hub assigned a task.</summary>
    public sealed record Assigned(HubMessage.TaskAssign Assignment, long ReceivedAtUnixMs) : RunInput;

    /// <summary>The hub's generation of a task that we hold; a higher one is adopted.</summary>
    public sealed record Continued(string TaskId, long Generation) : RunInput;

    /// <summary>The hub no longer wants our work on a task.</summary>
    public sealed record TakenAway(string TaskId, string Why) : RunInput;

    /// <summary>The hub or the operator cancelled a task; a null generation means any.</summary>
    public sealed record Cancelled(string TaskId, long? Generation, string Reason) : RunInput;

    /// <summary>The hub has a message, and every earlier one of the same run.</summary>
    public sealed record Acknowledged(string MessageId) : RunInput;

    /// <summary>The hub refused a message for good.</summary>
    public sealed record Refused(string MessageId, string Code) : RunInput;

    /// <summary>An order found something out. Dropped where the run has moved on to another order.</summary>
    public sealed record Learned(string RunId, RunOrder Order, Func<Run, Run> Apply) : RunInput;

    /// <summary>The deadline of a state passed. Dropped where the run has left that state.</summary>
    public sealed record DeadlinePassed(string RunId, RunState State, string Name) : RunInput;

    /// <summary>The operator or the hub decided what is let in; the answer comes once it is on disk.</summary>
    public sealed record IntakeDecided(IntakeState Intake, TaskCompletionSource? Stored) : RunInput;

    /// <summary>The time of an intake state is over: a pause ends, a drain stops what still runs.</summary>
    public sealed record IntakeDue : RunInput;

    /// <summary>Asks the loop to show that it lives.</summary>
    public sealed record Beat : RunInput;

    /// <summary>The agent spoke; the answer is whether it was believed and stored.</summary>
    public sealed record AgentSpoke(string RunId, Func<RunFacts, RunFacts> Apply, TaskCompletionSource<bool>? Stored) : RunInput;
}
