using System.Diagnostics.CodeAnalysis;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;
using Microsoft.Extensions.Logging;

namespace FleetSidecar.Runs;

/// <summary>Makes one commit of a batch of inputs, whatever is in them: what cannot be handled is set aside alone, and the rest is committed.</summary>
/// <remarks>
/// An input that throws is left out, and the run that it concerns fails by the name <c>internal_error</c>. A run that cannot be
/// stored is replaced by its reduced form, which fails by the same name; one whose reduced form cannot be stored either is closed
/// in the store with an incident. Each step makes the draft again from the book, because a draft that threw is half made.
/// </remarks>
internal sealed partial class DraftMaker(RunBook book, RunStore store, ILogger log)
{
    private const int MaxReason = 500, MostTries = 5;

    /// <summary>The draft that is on disk now.</summary>
    /// <exception cref="StoreUnavailableException">Nothing can be written at present; the same batch can be tried again.</exception>
    public async Task<RunDraft> CommitAsync(IReadOnlyList<RunInput> batch, long now)
    {
        var spoiled = new Spoiled();
        while (true)
        {
            if (TryCompose(batch, now, spoiled) is not { } draft)
            {
                continue;
            }

            try
            {
                if (!draft.IsEmpty)
                {
                    await store.SaveAsync(draft);
                }

                return draft;
            }
            catch (UnsavableRunException fault)
            {
                SetAside(spoiled, KeyOf(draft, fault.RunId), fault.InnerException!);
            }
        }
    }

    // A run that is only in the draft gets another name when the draft is made again; its task and generation stay.
    private string KeyOf(RunDraft draft, string runId) =>
        draft.Find(runId) is { } run && book.Open.All(open => open.Id != runId) ? $"{run.TaskId} {run.Generation}" : runId;

    private string? Resolve(RunDraft draft, string key) =>
        draft.Find(key)?.Id ?? draft.Changed.FirstOrDefault(run => KeyOf(draft, run.Id) == key)?.Id;

    /// <summary>Null where something threw; what it was is known now, and the next try goes round it.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "An input that cannot be handled must not end the loop that owns every run.")]
    private RunDraft? TryCompose(IReadOnlyList<RunInput> batch, long now, Spoiled spoiled)
    {
        var draft = book.Begin(now);
        foreach (var input in batch.Where(input => !spoiled.Inputs.Contains(input)))
        {
            try
            {
                book.Apply(draft, input);
            }
            catch (Exception fault) when (fault is not StoreUnavailableException)
            {
                LogInputBroke(input.GetType().Name, input.Subject, fault);
                spoiled.Inputs.Add(input);
                if (RunOf(draft, input) is { } runId)
                {
                    SetAside(spoiled, KeyOf(draft, runId), fault);
                }

                return null;
            }
        }

        return TryFinish(draft, spoiled) ? draft : null;
    }

    private bool TryFinish(RunDraft draft, Spoiled spoiled)
    {
        var done = new HashSet<string>();
        if (!TryReplace(draft, spoiled, done))
        {
            return false;
        }

        try
        {
            book.Release(draft, spoiled.Inputs);
        }
        catch (HeldAssignmentException fault)
        {
            LogInputBroke(nameof(RunInput.Assigned), fault.Assigned.Subject, fault.InnerException!);
            spoiled.Inputs.Add(fault.Assigned);
            return false;
        }

        return TryReplace(draft, spoiled, done); // Those that waited and have begun now.
    }

    [SuppressMessage("Design", "CA1031", Justification = "A run that cannot be handled must not end the loop that owns every run.")]
    private bool TryReplace(RunDraft draft, Spoiled spoiled, HashSet<string> done)
    {
        foreach (var (key, (tries, reason)) in spoiled.Runs.ToList())
        {
            if (Resolve(draft, key) is not { } runId || !done.Add(key))
            {
                continue;
            }

            try
            {
                if (tries == 1)
                {
                    draft.SetAside(runId, new Failure(FailureClass.InternalError, reason));
                }
                else
                {
                    draft.Forget(runId, reason);
                }
            }
            catch (Exception fault) when (fault is not StoreUnavailableException)
            {
                SetAside(spoiled, key, fault);
                return false;
            }
        }

        return true;
    }

    private void SetAside(Spoiled spoiled, string runId, Exception fault)
    {
        LogRunSetAside(runId, fault);
        var tries = spoiled.Runs.TryGetValue(runId, out var known) ? known.Tries + 1 : 1;
        if (tries > MostTries)
        {
            throw new StoreUnavailableException($"{runId} can be stored in no form: {fault.Message}", "report this with the lines before it; the same is tried again", fault);
        }

        spoiled.Runs[runId] = (tries, $"the sidecar could not handle this run: {Printable.Cut(fault.Message, MaxReason)}");
    }

    private static string? RunOf(RunDraft draft, RunInput input) => input switch
    {
        RunInput.Assigned => null, // Nothing was begun for it; the hub's accept deadline takes it back.
        RunInput.Learned learned => learned.RunId,
        RunInput.OrderBroke broke => broke.RunId,
        RunInput.DeadlinePassed passed => passed.RunId,
        RunInput.Resumed resumed => resumed.RunId,
        RunInput.AgentSpoke spoke => spoke.RunId,
        RunInput.Acknowledged acknowledged => draft.Message(acknowledged.MessageId)?.RunId,
        RunInput.Refused refused => draft.Message(refused.MessageId)?.RunId,
        RunInput.Continued continued => draft.OfTask(continued.TaskId)?.Id,
        RunInput.TakenAway gone => draft.OfTask(gone.TaskId)?.Id,
        RunInput.Cancelled cancelled => draft.OfTask(cancelled.TaskId)?.Id,
        _ => null,
    };

    /// <summary>What has thrown so far in this batch.</summary>
    private sealed class Spoiled
    {
        public HashSet<RunInput> Inputs { get; } = new(ReferenceEqualityComparer.Instance);

        public Dictionary<string, (int Tries, string Reason)> Runs { get; } = [];
    }

    [LoggerMessage(EventIds.InputBroke, LogLevel.Error, "{Input} of {Subject} could not be handled and is left out; its run fails by name, the others go on", EventName = "InputBroke")]
    private partial void LogInputBroke(string input, string subject, Exception fault);

    [LoggerMessage(EventIds.RunSetAside, LogLevel.Error, "{Run} could not be handled or stored and is set aside; it fails as internal_error, the others go on", EventName = "RunSetAside")]
    private partial void LogRunSetAside(string run, Exception fault);
}
