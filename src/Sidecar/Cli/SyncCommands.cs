using System.CommandLine;
using System.Text;
using System.Text.Json;
using FleetSidecar.Ground;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Identity;

namespace FleetSidecar.Cli;

/// <summary><c>sync</c> and <c>contacts</c>.</summary>
internal static class SyncCommands
{
    public static Command Sync(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var check = new Option<bool>("--check") { Description = "Say what would happen and change nothing" };
        var rollback = new Option<bool>("--rollback") { Description = "Go back to the version before; the identity stays as it is now" };
        var commit = new Option<string>("--commit") { Description = "A commit of the upstream's branch instead of its head", HelpName = "SHA" };
        var rewind = new Option<bool>("--allow-rewind") { Description = "Take a version that does not come after the one in force" };
        var points = new Option<bool>("--crash-points") { Description = "For tests: read FLEET_CRASH_POINT", Hidden = true };
        var command = new Command("sync", "Bring the fleet's code tree to the upstream's commit; this agent's identity files stay this agent's. Exit code 78 where no clean identity is left: then nothing was touched.\n\n"
            + "Examples:\n  fleet-sidecar sync --check\n  fleet-sidecar sync\n  fleet-sidecar sync --rollback") { check, rollback, commit, rewind, points, config, set, json };
        command.Validators.Add(result =>
        {
            if (result.GetValue(rollback) && (result.GetValue(check) || result.GetValue(rewind) || result.GetValue(commit) is not null))
            {
                result.AddError("--rollback stands alone");
            }
        });
        command.SetAction(async (arguments, token) =>
        {
            if (arguments.GetValue(points))
            {
                CrashPoints.Arm();
            }

            if (arguments.GetValue(commit) is { } asked && !CommitIds.IsFull(asked))
            {
                throw new UsageException($"--commit '{asked}' is not a full commit id", "give all 40 hexadecimal digits, as 'git rev-parse' prints them");
            }

            var report = await IdentityCommands.Of(arguments).RunAsync(new SyncRequest
            {
                Commit = arguments.GetValue(commit), CheckOnly = arguments.GetValue(check), Rollback = arguments.GetValue(rollback), AllowRewind = arguments.GetValue(rewind),
            }, token);
            Terminal.Write(arguments.GetValue(json) ? JsonSerializer.Serialize(report, IdentityJson.Default.SyncReport) + "\n" : Lines(report));
            return ExitCodes.Ok;
        });
        return command;
    }

    public static Command Contacts(Option<string> config, Option<string[]> set, Option<bool> json)
    {
        var name = new Argument<string?>("NAME") { Description = "One contact; all of them where absent", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("contacts", "Show who this agent can reach. A name that is not in the book is an error that lists those that are.\n\nExample:\n  fleet-sidecar contacts clara") { name, config, set, json };
        command.SetAction(arguments =>
        {
            var book = IdentityCommands.Of(arguments).Contacts;
            var report = arguments.GetValue(name) is { } asked ? new ContactsReport { Count = 1, Contacts = [book.Find(asked)] } : book.Read();
            Terminal.Write(arguments.GetValue(json) ? JsonSerializer.Serialize(report, IdentityJson.Default.ContactsReport) + "\n"
                : string.Concat(report.Contacts.Select(contact => string.Join("  ", contact.Where(field => field.Value is not null).Select(field => GitNames.Escape($"{field.Key}={field.Value}"))) + "\n")));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static string Lines(SyncReport report)
    {
        var text = new StringBuilder();
        text.Append(report.Recovered ? "a sync that had been cut short was dealt with first\n" : "");
        text.AppendLine(report.Outcome switch
        {
            "current" => $"already at {report.Commit}, identity intact",
            "would_sync" => $"would go from {report.FromCommit ?? "an unknown version"} to {report.Commit}, {report.Method}, {report.ChangedFiles} files change",
            "rolled_back" => $"back at {report.Commit ?? "the version before"}, {report.Method}, identity intact",
            _ => $"now at {report.Commit}, {report.Method}, {report.ChangedFiles} files changed, identity intact",
        });
        foreach (var path in report.Collisions)
        {
            text.AppendLine($"kept      {path}: the upstream has one of its own, which was not written");
        }

        foreach (var path in report.Restored)
        {
            text.AppendLine($"restored  {path}");
        }

        text.Append(report.RescueRef is { } rescue ? $"rescued   uncommitted work: {rescue}\n" : "");
        foreach (var note in report.Notes)
        {
            text.AppendLine($"note      {GitNames.Escape(note)}");
        }

        return text.ToString();
    }
}
