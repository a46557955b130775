using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Supervise;

/// <summary>A process in a session of its own that outlives the sidecar, and is found again by its note or its mark.</summary>
/// <remarks>The member is the process that we started, not what it leaves behind: when it ends, its helpers are ended before the next
/// life begins. A program that puts itself into the background looks dead.</remarks>
internal sealed class ProcessMember(MemberHome home, MemberProcesses processes) : IMemberKind
{
    public string Kind => MemberKind.Process;

    public Task<MemberLook> LookAsync(MemberOptions member, MemberRecord kept, CancellationToken token)
    {
        if (kept.Process is { } noted)
        {
            ProcessWatch.Reap(noted.Pid);
            return Task.FromResult<MemberLook>(noted.IsAlive() ? new MemberLook.Alive(noted, noted.Pid) : new MemberLook.Dead($"process {noted.Pid} has ended"));
        }

        return Task.FromResult<MemberLook>(processes.Find(member, kept.Nonce) is { } found ? new MemberLook.Alive(found, found.Pid) : new MemberLook.Dead("it does not run"));
    }

    public Task ClearAsync(MemberOptions member, MemberRecord kept, CancellationToken token) => processes.EndAsync(member, kept.Process, token);

    public Task<ProcessIdentity?> StartAsync(MemberOptions member, MemberRecord kept, IReadOnlyList<string> command, CancellationToken token)
    {
        var environment = MemberProcesses.Common(member.PassEnvironment);
        foreach (var (name, value) in processes.Own(member, kept.Nonce!))
        {
            environment[name] = value;
        }

        try
        {
            home.TurnOutput(member);
            var pid = Spawner.Start(new SpawnRequest(command, [.. environment], member.Directory ?? "/", home.Output(member), home.Errors(member)));
            CrashPoints.At(CrashPointName.MemberStarted);

            // Our own child keeps its pid until we reap it, so this is its identity, or it has ended already.
            var started = ProcessIdentity.Of(pid);
            ProcessWatch.Reap(pid);
            return Task.FromResult(started);
        }
        catch (SpawnException fault)
        {
            throw new MemberFaultException(fault.Message, fault.Hint, fault);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new MemberFaultException($"its output cannot be put into {home.Directory(member)}: {fault.Message}", "mend the state directory", fault);
        }
    }
}
