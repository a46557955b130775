using System.Collections.Immutable;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Runs;

/// <summary>The crash points that lie right after a commit.</summary>
internal static class CommitMoments
{
    /// <summary>On disk, and nobody was told or started.</summary>
    public static void Persisted(RunDraft draft, ImmutableArray<Run> before)
    {
        if (draft.Changed.Any(run => before.All(known => known.Id != run.Id)))
        {
            CrashPoints.At(CrashPointName.Persisted);
        }
    }

    /// <summary>On disk, and everybody was told.</summary>
    public static void Done(RunDraft draft, ImmutableArray<Run> before)
    {
        if (draft.Changed.Any(run => run.State == RunState.Working && before.All(known => known.Id != run.Id || known.State != RunState.Working)))
        {
            CrashPoints.At(CrashPointName.Confirmed);
        }

        if (draft.Changed.Any(run => run.Facts.Failure?.Code == FailureClass.InternalError))
        {
            CrashPoints.At(CrashPointName.RunSetAside);
        }

        if (draft.Changed.Any(run => run.State == RunState.Settled))
        {
            CrashPoints.At(CrashPointName.Acknowledged);
        }
    }
}
