using FleetSidecar.Agents.Outputs;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Units;

/// <summary>Runs a program to its end where agents run: as their user, in a unit of its own, with everything that it starts. For what the sidecar's user must not, or cannot, run itself.</summary>
internal sealed class UnitTool(SidecarConfig config, AgentUnits units, AgentSlots slots, UnitStart start, RunModes modes, ProcessWatch watch, ToolRunner tools, TimeProvider time)
{
    /// <summary>For what belongs to no run.</summary>
    public const string SelfTest = "selftest";

    private const int TailLength = 4096, MostMoves = 5;
    private const long MaxOutputBytes = 32 * 1024 * 1024; // Its head and its tail are read, and nothing else.
    private static readonly TimeSpan OutputLook = TimeSpan.FromMilliseconds(500);

    /// <summary>Whether the service manager has the agents' unit at all: installed, and not masked.</summary>
    public async Task<bool> IsLoadedAsync(string network) => (await units.ShowAsync(units.NameIn(AgentSlots.Count() > 0 ? 1 : null, network, SelfTest))).Load == "loaded";

    /// <param name="run">The run whose unit and directories it has; nothing else may be going on in there.</param>
    /// <param name="name">Of the record in the run's directory; an earlier one of this name is replaced.</param>
    /// <param name="environment">Variables besides those that the unit gives.</param>
    /// <param name="command">Program and arguments; a bare name is looked up in the unit's PATH.</param>
    /// <param name="directory">Where it runs; null for the run's own directory.</param>
    /// <param name="limit">After this everything in the unit is killed.</param>
    /// <param name="token">Kills it too.</param>
    /// <param name="network">What it reaches of the network: with the user of the run, or of a free slot where it has none. Null for the program of a signal, which runs as the user beside the slots.</param>
    /// <exception cref="SidecarException">The unit did not start.</exception>
    /// <exception cref="StillGivenException">What it had could not be taken back.</exception>
    public async Task<ToolOutcome> RunAsync(string run, string name, IReadOnlyDictionary<string, string> environment, IReadOnlyList<string> command, string? directory, TimeSpan limit, CancellationToken token, string? network = null)
    {
        if (network is not null)
        {
            TakeAny(run, network);
        }

        using var use = slots.Use(run);
        var (home, unit) = (Path.Combine(config.RunsDirectory, run), units.NameOf(run));
        var record = Path.Combine(home, name);
        try
        {
            var order = new UnitOrder(record, directory ?? home, "/dev/null", [.. environment], command);
            if (order.Problem is { } problem)
            {
                throw new SidecarException(problem, "give it by a file");
            }

            await units.StopAsync(unit); // What an earlier process of ours left in there.
            if (run == SelfTest)
            {
                await TakeHomeAsync(run, home);
            }

            await TreeRemoval.RemoveAsync(tools, record, token); // From directory to directory: somebody may still hold one of them.
            Directory.CreateDirectory(record);
            AgentOutput.Make(record);
            UnitEnd.MakeRoom(record);
            var (process, why) = await start.StartAsync(run, order, lent: false, token);
            return process is null ? throw new SidecarException(why!, "see the journal of that unit") : await EndAsync(unit, record, process, limit, token);
        }
        finally
        {
            await units.StopAsync(unit);
            await units.ForgetAsync(unit);
            start.Withdraw(run);
            if (run == SelfTest)
            {
                slots.GiveBack(run);
                modes.LeaveOpen(run); // Git reads nothing of a look, and the self-test must not wait for a large tree.
            }
            else
            {
                await modes.CloseAsync(run, isEnding: false, CancellationToken.None); // A test is code of the agent's too.
            }
        }
    }

    // It stayed as the look before left it, and what runs in a look may have handed it to a process that lives on: closed at its top,
    // nothing below can be swapped.
    private async Task TakeHomeAsync(string run, string home)
    {
        if (!RunModes.IsOurs(home))
        {
            await units.TakeBackAsync(run);
        }

        PrivateDirectory.Allow(home, PrivateDirectory.Mode);
        OwnModes.GiveBack(home); // The look before may have closed it to its own owner.
        PutAside(home);
        Directory.CreateDirectory(home, PrivateDirectory.Mode);
    }

    // What the look before left there, however much: retention removes it, and may have removed its place this moment.
    private void PutAside(string home)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                if (!Directory.Exists(home) || !Directory.EnumerateFileSystemEntries(home).Any())
                {
                    return;
                }

                Directory.CreateDirectory(config.RemovingDirectory);
                Directory.Move(home, Path.Combine(config.RemovingDirectory, $"{SelfTest}-{Guid.NewGuid():N}"));
                return;
            }
            catch (DirectoryNotFoundException) when (attempt < MostMoves)
            {
            }
        }
    }

    // Where every slot has a run, the look is made as the user beside the slots, who has no unit with another network.
    private void TakeAny(string run, string network)
    {
        var count = AgentSlots.Count();
        if (count == 0 && network != NetworkPolicy.All)
        {
            throw new SidecarException($"network is {network}, and {NetworkRules.NoUsers}", NetworkRules.Hint);
        }

        try
        {
            slots.Take(run, count, network);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // The disk is full; whether the program can be executed is another question.
        }

        if (slots.NetworkOf(run) != network)
        {
            throw new NoFreeUserException($"each of this machine's {count} users for agents has a run", "it is asked again at the next look");
        }
    }

    private async Task<ToolOutcome> EndAsync(string unit, string record, ProcessIdentity process, TimeSpan limit, CancellationToken token)
    {
        var ended = watch.EndOfAsync(process);
        for (var started = time.GetTimestamp(); !ended.IsCompleted && time.GetElapsedTime(started) < limit && !token.IsCancellationRequested;)
        {
            var left = (limit - time.GetElapsedTime(started)).Ticks;
            await Task.WhenAny(ended, Task.Delay(TimeSpan.FromTicks(Math.Clamp(left, 0, OutputLook.Ticks)), time, token));
            AgentOutput.Bound(record, MaxOutputBytes);
        }

        var late = !ended.IsCompleted;
        if (late)
        {
            await units.SignalAsync(unit, "KILL", CancellationToken.None);
        }

        await units.StopAsync(unit);
        token.ThrowIfCancellationRequested();
        var (output, error) = (Recorder.Output(record), Recorder.Errors(record));
        return new ToolOutcome(late ? -1 : UnitEnd.Read(record, time.GetUtcNow()).ExitCode ?? -1, Head(output), late ? $"no end after {limit}" : Head(error), late)
        {
            Last = (TextTail.Read(output, TailLength), TextTail.Read(error, TailLength)),
        };
    }

    private static string Head(string path)
    {
        using var file = OutsideFile.Stream(path);
        if (file is null)
        {
            return "";
        }

        var bytes = new byte[ToolRunner.OutputLimit];
        return OutsideText.Decode(bytes.AsSpan(0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)));
    }
}
