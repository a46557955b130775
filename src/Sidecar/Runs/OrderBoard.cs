using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>What is going on for each run: at most one order at a time, the one that the policy wants.</summary>
/// <remarks>
/// An order that throws is an outcome: the run hears of it and fails as <c>internal_error</c>. Where the policy wants the same
/// order all the same, as with a stop whose process still lives, it is given again after a pause that grows to a minute, until
/// it succeeds or another order is wanted. Owned by <see cref="RunLoop"/>; called from its thread alone.
/// </remarks>
internal sealed partial class OrderBoard(
    RunOrders work, Func<string, Run?> find, Func<RunInput, CancellationToken, ValueTask> post, TimeProvider time, ILogger log)
{
    private const int MaxReason = 500;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, (RunOrder Order, CancellationTokenSource Stop)> _orders = [];

    /// <summary>Sees to it that what the run needs now is going on, and nothing else.</summary>
    public void Follow(Run run, CancellationToken stopping)
    {
        var wanted = RunPolicy.OrderFor(run);
        if (_orders.TryGetValue(run.Id, out var going) && going.Order != wanted)
        {
            going.Stop.Cancel();
            going.Stop.Dispose(); // It is linked to the daemon's own token, which would keep it for ever.
            _orders.Remove(run.Id);
        }

        if (wanted.Kind == OrderKind.Nothing || _orders.ContainsKey(run.Id))
        {
            return;
        }

        var stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _orders[run.Id] = (wanted, stop);

        // A wake begins right here, before anything is logged or sent: it is what everybody waits for, it takes well under a
        // millisecond, and a hand-over to another thread would cost as much again. Everything else goes elsewhere at once.
        _ = wanted.Kind == OrderKind.Wake ? DoAsync(run, wanted, stop.Token) : Task.Run(() => DoAsync(run, wanted, stop.Token), CancellationToken.None);
    }

    /// <summary>Ends what goes on for a run that is no longer known.</summary>
    public void Drop(string runId)
    {
        if (_orders.Remove(runId, out var going))
        {
            going.Stop.Cancel();
            going.Stop.Dispose();
        }
    }

    private async Task DoAsync(Run run, RunOrder order, CancellationToken token)
    {
        var pause = FirstPause;
        while (!await TryAsync(find(run.Id) ?? run, order, pause, token))
        {
            try
            {
                await Task.Delay(pause, time, token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    /// <summary>True where the order is done or no longer wanted.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "An order that breaks must fail its run by name, not end the daemon and every other run with it.")]
    private async Task<bool> TryAsync(Run run, RunOrder order, TimeSpan pause, CancellationToken token)
    {
        try
        {
            await work.RunAsync(new OrderScene(run, order, () => find(run.Id) ?? run, input => post(input, token), token));
            return true;
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            return true;
        }
        catch (Exception fault)
        {
            LogOrderBroke(run.Id, run.TaskId, order.Kind, pause, fault);
            return !await TryTellAsync(new RunInput.OrderBroke(run.Id, order, $"{order.Kind} broke: {Printable.Cut(fault.Message, MaxReason)}"), token);
        }
    }

    /// <summary>False where the order is no longer wanted, so that nothing has to be told.</summary>
    private async Task<bool> TryTellAsync(RunInput input, CancellationToken token)
    {
        try
        {
            await post(input, token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(EventIds.OrderBroke, LogLevel.Error, "{Run} {Task} {Order} broke; the run fails as internal_error, and where the order is still needed it is given again in {Pause}", EventName = "OrderBroke")]
    private partial void LogOrderBroke(string run, string task, OrderKind order, TimeSpan pause, Exception fault);
}
