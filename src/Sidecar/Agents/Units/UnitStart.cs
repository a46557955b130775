using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Protocol;

namespace FleetSidecar.Agents.Units;

/// <summary>Gives a unit its order and starts it; whoever asked learns which process it became, or why none.</summary>
internal sealed class UnitStart(SidecarConfig config, AgentUnits units, RunModes modes, TimeProvider time)
{
    private const UnixFileMode ForItsUnit = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private static readonly TimeSpan NoteTakesAtMost = TimeSpan.FromSeconds(10), Look = TimeSpan.FromMilliseconds(5);

    /// <param name="run">The run, or what else has directories and a unit.</param>
    /// <param name="order">What the unit is to become.</param>
    /// <param name="lent">Its directories stay given to the agents' user when the unit is over.</param>
    /// <param name="token">Gives up waiting for the service manager.</param>
    public async Task<(ProcessIdentity? Process, string? Why)> StartAsync(string run, UnitOrder order, bool lent, CancellationToken token)
    {
        Write(Path.Combine(config.OrdersDirectory, run), order with { OutsideNetwork = new FileInfo("/proc/self/ns/net").LinkTarget }, lent);
        await modes.OpenAsync(run, token);
        var unit = units.NameOf(run);
        var started = await units.StartAsync(unit, token);
        if (await NoteAsync(order.Record, unit) is { } process)
        {
            return (process, null);
        }

        Withdraw(run);
        return (null, await WhyAsync(unit, started));
    }

    /// <summary>Takes back what a unit was to become, and whatever was lent with it. Without an order a unit does nothing but hand over and take back.</summary>
    public void Withdraw(string run)
    {
        var directory = Path.Combine(config.OrdersDirectory, run);
        if (Directory.Exists(directory))
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Write(string directory, UnitOrder order, bool lent)
    {
        Directory.CreateDirectory(directory);
        var (mark, file) = (Path.Combine(directory, UnitOrder.LentFile), Path.Combine(directory, UnitOrder.FileName));
        File.Delete(mark);
        if (lent)
        {
            AtomicFile.Write(mark, "");
        }

        AtomicFile.Write(file, order.Text);
        File.SetUnixFileMode(file, ForItsUnit); // Nobody comes this far but root, ourselves, and the one unit that has the directory mounted.
    }

    // The note is the first thing the unit's program does; a unit that is over without one never became what it was to be.
    private async Task<ProcessIdentity?> NoteAsync(string record, string unit)
    {
        for (var started = time.GetTimestamp(); time.GetElapsedTime(started) < NoteTakesAtMost; await Task.Delay(Look, time, CancellationToken.None))
        {
            if (await units.BelieveAsync(unit, Recorder.ReadNote(record)) is { } process)
            {
                return process;
            }

            if ((await units.ShowAsync(unit)).IsOver)
            {
                break;
            }
        }

        await units.StopAsync(unit);
        return await units.BelieveAsync(unit, Recorder.ReadNote(record));
    }

    private async Task<string> WhyAsync(string unit, ToolOutcome started)
    {
        var facts = await units.ShowAsync(unit);
        await units.ForgetAsync(unit);
        var said = Printable.Cut(started.Error.Trim().Split('\n')[0], 300);
        return $"the unit {unit} did not start ({(facts.Load == "loaded" ? $"result {facts.Result}" : $"it is {facts.Load}")}){(said.Length > 0 ? $": {said}" : "")}; journalctl -u {unit} says more";
    }
}
