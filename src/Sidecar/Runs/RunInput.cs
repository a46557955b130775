using FleetSidecar.Drain;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>Everything that reaches the run loop: a closed family.</summary>
internal abstract record RunInput
{
    private RunInput()
    {
    }

    /// <summary>The task or run that it is about, for the log.</summary>
    public string Subject => this switch
    {
        Assigned { Assignment.TaskId: var task } => task,
        Continued { TaskId: var task } => task,
        TakenAway { TaskId: var task } => task,
        Cancelled { TaskId: var task } => task,
        Acknowledged { MessageId: var message } => message,
        Refused { MessageId: var message } => message,
        Learned { RunId: var run } => run,
        OrderBroke { RunId: var run } => run,
        Resumed { RunId: var run } => run,
        DeadlinePassed { RunId: var run } => run,
        AgentSpoke { RunId: var run } => run,
        _ => "the machine",
    };

    /// <summary>The hub assigned a task.</summary>
    /// <param name="Assignment">What is to be done.</param>
    /// <param name="ReceivedAtUnixMs">When it came; the accept deadline counts from then.</param>
    /// <param name="HubTakesRejections">The hub knows <c>task_rejected</c>. A version 1 hub counts a refusal as a failed attempt.</param>
    public sealed record Assigned(HubMessage.TaskAssign Assignment, long ReceivedAtUnixMs, bool HubTakesRejections = true) : RunInput;

    /// <summary>The hub's generation of a task that we hold; a higher one is adopted.</summary>
    public sealed record Continued(string TaskId, long Generation) : RunInput;

    /// <summary>The hub no longer wants our work on a task.</summary>
    /// <param name="TaskId">The task.</param>
    /// <param name="Why">For the log and for status.</param>
    /// <param name="Generation">The generation that was reported to the hub and that its answer is about; null means any.</param>
    public sealed record TakenAway(string TaskId, string Why, long? Generation = null) : RunInput;

    /// <summary>The hub or the operator cancelled a task; a null generation means any.</summary>
    public sealed record Cancelled(string TaskId, long? Generation, string Reason) : RunInput;

    /// <summary>The hub has a message, and every earlier one of the same run.</summary>
    /// <param name="MessageId">The message.</param>
    /// <param name="Status">What the hub made of it (<c>complete</c>, <c>retried</c>), where it said so.</param>
    public sealed record Acknowledged(string MessageId, string? Status = null) : RunInput;

    /// <summary>The hub refused a message for good.</summary>
    public sealed record Refused(string MessageId, string Code) : RunInput;

    /// <summary>An order found something out. Dropped where the run has moved on to another order.</summary>
    public sealed record Learned(string RunId, RunOrder Order, Func<Run, Run> Apply) : RunInput;

    /// <summary>A start has changed what is known of a run, which is not on disk yet.</summary>
    public sealed record Resumed(string RunId) : RunInput;

    /// <summary>An order threw. Dropped where the run has moved on to another order.</summary>
    public sealed record OrderBroke(string RunId, RunOrder Order, string Reason) : RunInput;

    /// <summary>The deadline of a state passed. Dropped where the run has left that state.</summary>
    public sealed record DeadlinePassed(string RunId, RunState State, string Name) : RunInput
    {
        /// <summary>What was going on at that moment, for the reason; null where there is nothing to tell.</summary>
        public string? Doing { get; init; }
    }

    /// <summary>The operator or the hub decided what is let in; the answer comes once it is on disk.</summary>
    public sealed record IntakeDecided(IntakeState Intake, TaskCompletionSource? Stored) : RunInput;

    /// <summary>The time of an intake state is over: a pause ends, a drain stops what still runs.</summary>
    public sealed record IntakeDue : RunInput;

    /// <summary>Asks the loop to show that it lives.</summary>
    public sealed record Beat : RunInput;

    /// <summary>The agent spoke; the answer is whether it was believed and stored.</summary>
    public sealed record AgentSpoke(string RunId, Func<RunFacts, RunFacts> Apply, TaskCompletionSource<bool>? Stored) : RunInput;
}
