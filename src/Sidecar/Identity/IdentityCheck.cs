using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.SelfTest;

namespace FleetSidecar.Identity;

/// <summary>Every live identity file is this agent's, and the address book is not empty. Silent where no tree is configured.</summary>
internal sealed class IdentityCheck(SidecarConfig config, IdentitySync sync) : ICheck, IDisposable
{
    // One look at a time: each has files in memory, and every run that starts asks for one. Those that wait hold no thread.
    private readonly SemaphoreSlim _turn = new(1);

    public string Name => "identity";

    public void Dispose() => _turn.Dispose();

    public async Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token) => config.Identity.Tree.Length == 0 ? []
        : config.Identity.Contacts is null ? [await IdentityAsync(token)]
        : [await IdentityAsync(token), await Task.Run(Contacts, token)];

    /// <summary>Why no agent may be started, or null. Where there is a tree, its files are read, which the caller's other work does not wait for.</summary>
    public async ValueTask<string?> RefusesAsync() =>
        config.Identity.Tree.Length > 0 && await IdentityAsync(CancellationToken.None) is { Status: CheckResult.Failed } look ? look.Detail : null;

    private async Task<CheckResult> IdentityAsync(CancellationToken token)
    {
        await _turn.WaitAsync(token);
        try
        {
            return await Task.Run(LookAtIdentity, token);
        }
        finally
        {
            _turn.Release();
        }
    }

    private CheckResult LookAtIdentity()
    {
        try
        {
            var report = sync.Check();
            var hidden = report.Files.Where(file => file.Sources[0].State == IdentitySource.Unreadable).Select(file => $"{file.Path}: {file.Sources[0].Detail}").ToList();
            var foreign = report.Files.Where(file => file.Sources[0].State is IdentitySource.Foreign or IdentitySource.Missing).Select(file => $"{file.Path}: {file.Sources[0].Detail}").ToList();
            var worn = report.Files.Where(file => file.Sources.Any(source => source.State == IdentitySource.Foreign)).Select(file => file.Path).ToList();
            return foreign.Count > 0 ? new CheckResult(Name, CheckResult.Failed, $"identity_contaminated: {string.Join("; ", foreign)}", "run 'fleet-sidecar identity check', then 'fleet-sidecar sync', which puts back what a clean source is left of")
                : hidden.Count > 0 ? new CheckResult(Name, CheckResult.Failed, $"identity_unreadable: {string.Join("; ", hidden)}", "let whoever has it locked end, or let the service user read it; nothing is written over it")
                : report.Unfinished ? new CheckResult(Name, CheckResult.Failed, "a sync of the tree is under way or was cut short", "wait for its end; 'fleet-sidecar sync' finishes it")
                : worn.Count > 0 ? new CheckResult(Name, CheckResult.Warning, $"a backup or sealed copy of {string.Join(", ", worn)} is not this agent's; the live files are", "the next sync writes the backups anew; a sealed copy is made by 'fleet-sidecar identity seal'")
                : new CheckResult(Name, CheckResult.Ok, $"{report.Files.Count} files in {report.Tree} are {report.Agent}'s");
        }
        catch (SidecarException fault)
        {
            return new CheckResult(Name, CheckResult.Failed, fault.Message, fault.Hint);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return new CheckResult(Name, CheckResult.Failed, fault.Message, "let the service user read the tree and the state directory");
        }
    }

    private CheckResult Contacts()
    {
        try
        {
            var count = sync.Contacts.Read().Count;
            return count > 0 ? new CheckResult("contacts", CheckResult.Ok, $"{count} contacts")
                : new CheckResult("contacts", CheckResult.Failed, "the address book is empty: no peer can be reached", "run 'fleet-sidecar sync', or fill the book");
        }
        catch (SidecarException fault)
        {
            return new CheckResult("contacts", CheckResult.Failed, fault.Message, fault.Hint);
        }
    }
}
