using System.Text.Json.Nodes;
using FleetSidecar.Configuration;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Setup;

namespace FleetSidecar.Import;

/// <summary>
/// Writes what an import came to: the token, then the configuration, then, where that was asked for, takes the token
/// out of the old files.
/// </summary>
/// <remarks>
/// Everything that can be refused is refused before the first byte is written. A crash after the token leaves a file
/// that the next import finds and knows; a crash before the last step leaves the old files as they were. Each file is
/// whole or not there.
/// </remarks>
internal sealed class ImportSteps(ImportRequest request)
{
    public ImportReport Report { get; private set; } =
        new()
        {
            Source = request.Source,
            ConfigFile = request.Output,
            TokenFile = request.TokenFile,
        };

    /// <exception cref="ConfigurationException">It cannot be carried over, or something is in the way; nothing was
    /// written.</exception>
    public void Run()
    {
        if (RealPath.Of(request.Source) is { } source && RealPath.Of(request.Output) == source)
        {
            throw new ConfigurationException(
                $"{request.Output} is AgentCom's own file",
                "name another place with --output; nothing was written"
            );
        }

        var files = AgentComFiles.Read(request.Source, request.AgentDirectory);
        var places = new MachinePlaces(
            Path.GetDirectoryName(request.Source)!,
            Environment.GetEnvironmentVariable("PATH")
        );
        files = files with { Imported = Imported(files.Config.Optional("agent_id").Text) };
        var plan = new AgentComRules(files, request.TokenFile, request.AgentCommand, places).Make();
        if (PackagePaths.StateOf(request.Output) is { } state)
        {
            plan.Keys["stateDirectory"] = state;
        }

        Report = Report with { Rows = plan.Rows, TokenStillIn = plan.TokenStillIn };
        SetupFiles.Check(request.Output, plan.Keys);
        var (token, config) = (IsThere(plan.Token), IsThere(plan.Keys));
        if (!request.DryRun)
        {
            Write(plan, token, config);
        }

        Report = Report with { Ok = true, Next = [.. Next(plan)] };
    }

    private void Write(ImportPlan plan, bool tokenIsThere, bool configIsThere)
    {
        SetupFiles.Probe("nothing was written", request.Output, request.TokenFile);
        Keep(request.TokenFile, tokenIsThere);

        // Also where it is there: its mode and its owner may be other ones.
        SetupFiles.WriteToken(request.TokenFile, plan.Token);
        CrashPoints.At(CrashPointName.ImportToken);
        if (!configIsThere)
        {
            SetupFiles.WriteConfig(request.Output, plan.Keys);
        }

        CrashPoints.At(CrashPointName.ImportConfig);
        Report = Report with { Config = configIsThere ? "unchanged" : "written" };
        if (request.RemoveToken)
        {
            foreach (var file in plan.TokenStillIn)
            {
                TokenRemoval.From(file);
                Report = Report with { TokenStillIn = [.. Report.TokenStillIn.Where(other => other != file)] };
            }
        }
    }

    private static void Keep(string file, bool isThere)
    {
        if (!isThere && SetupFiles.ReadToken(file) is { } old)
        {
            SetupFiles.WriteToken(SetupFiles.FreeName($"{file}.bak"), old);
        }
    }

    // The old files lose the token with --remove-token; an import after that finds it where the first one put it.
    private string? Imported(string? agent) =>
        agent is not null && AgentOf(request.Output) == agent ? SetupFiles.ReadToken(request.TokenFile) : null;

    private static string? AgentOf(string file)
    {
        try
        {
            return SetupFiles.ReadConfig(file)["agent"] is JsonObject agent
                && agent["id"] is JsonValue id
                && id.TryGetValue(out string? text)
                ? text
                : null;
        }
        catch (ConfigurationException)
        {
            return null;
        }
    }

    private bool IsThere(string token) =>
        Judge(request.TokenFile, () => SetupFiles.ReadToken(request.TokenFile) == token);

    private bool IsThere(JsonObject keys) => Judge(request.Output, () => Says(keys));

    // A file that cannot be read says something else.
    private bool Says(JsonObject keys)
    {
        try
        {
            return JsonNode.DeepEquals(SetupFiles.ReadConfig(request.Output), keys);
        }
        catch (ConfigurationException)
        {
            return false;
        }
    }

    // True where the file is what would be written; false where it is to be written.
    private bool Judge(string file, Func<bool> isSame)
    {
        var kind = PathFacts.Of(file)?.Kind;
        if (kind == PathKind.Link)
        {
            var end = RealPath.Of(file) is { } real ? PathFacts.Of(real)?.Kind : null;
            kind = end is null ? throw InTheWay(file, "a link that leads nowhere") : end;
        }

        switch (kind)
        {
            case null:
                return false;
            case PathKind.Directory or PathKind.Socket or PathKind.Other:
                throw InTheWay(file, "no file");
            case PathKind.File when isSame():
                return true;
            case not null when request.Force:
                return false;
            default:
                throw new ConfigurationException(
                    $"{file} is there already and is not what this import would write",
                    "--force replaces it and leaves the old one beside it as .bak; "
                        + "or name another place with --output; nothing was written"
                );
        }
    }

    private static ConfigurationException InTheWay(string file, string what) =>
        new(
            $"{file} is there and is {what}",
            "move it out of the way, or name another place with --output; nothing was written"
        );

    private IEnumerable<string> Next(ImportPlan plan)
    {
        if (request.DryRun)
        {
            yield return "run the same without --dry-run";
            yield break;
        }

        yield return $"fleet-sidecar config validate --config {request.Output}";
        yield return $"pm2 delete agentcom-{plan.AgentId} (two sidecars of one id take the link from each other)";
        yield return PackagePaths.UnitOf(request.Output) is { } unit
            ? $"systemctl restart {unit}"
            : $"fleet-sidecar run --config {request.Output}";
        yield return $"fleet-sidecar doctor --config {request.Output}";
        if (Report.TokenStillIn.Count > 0)
        {
            yield return $"once it works: the token is still in {string.Join(" and ", Report.TokenStillIn)}; "
                + "run this again with --remove-token, or delete AgentCom's files";
        }
    }
}
