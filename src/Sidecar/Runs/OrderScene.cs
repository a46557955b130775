namespace FleetSidecar.Runs;

/// <summary>What an order works on and whom it tells.</summary>
/// <param name="Run">The run as it was when the order was given.</param>
/// <param name="Order">The order; what is learned after another one was given is dropped.</param>
/// <param name="Now">The run as of the last commit.</param>
/// <param name="Post">Hands an input to the run loop.</param>
/// <param name="Token">The order is over.</param>
internal sealed record OrderScene(Run Run, RunOrder Order, Func<Run> Now, Func<RunInput, ValueTask> Post, CancellationToken Token)
{
    public ValueTask LearnAsync(Func<Run, Run> apply) => Post(new RunInput.Learned(Run.Id, Order, apply));
}
