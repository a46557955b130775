using System.Globalization;
using System.Text.Json.Nodes;
using FleetSidecar.Ground;
using FleetSidecar.Protocol;

namespace FleetSidecar.Import;

/// <summary>What each key of AgentCom's sidecar is here. Pure: reads what was read, and writes nothing.</summary>
/// <remarks>
/// A key without which the old sidecar did not start (<c>agent_id</c>, <c>token</c>, <c>hub_url</c>), and the wake
/// command, must be right, or the import is refused. Any other key that is odd is left out and named.
/// </remarks>
internal sealed class AgentComRules(
    AgentComFiles files,
    string tokenFile,
    IReadOnlyList<string> command,
    IPlaces places
)
{
    private static readonly TimeSpan LeastConfirm = TimeSpan.FromMilliseconds(100),
        MostConfirm = TimeSpan.FromDays(7);
    private static readonly TimeSpan LeastBeat = TimeSpan.FromSeconds(1),
        MostBeat = TimeSpan.FromMinutes(10);

    private readonly List<ImportRow> _rows = [];
    private readonly JsonObject _agent = [],
        _hub = [],
        _deadlines = [],
        _log = [];

    private AgentComKeys Config => files.Config;

    /// <exception cref="ConfigurationException">Something that the sidecar cannot do without is missing or wrong; the
    /// message names the key.</exception>
    public ImportPlan Make()
    {
        var id = Identity();
        var token = Token();
        Address();
        var profile = Profile();
        Optional();
        foreach (var key in Config.Names.Where(key => !_rows.Exists(row => row.Key == key)))
        {
            Leave(key, AgentComLeftOut.Why(key));
        }

        if (files.ActiveTask is { } task)
        {
            Leave(
                "queue.json",
                $"{Printable.Cut(task, WireLimits.MaxTaskId)} is under way there and is not taken along: "
                    + "let it end, or the hub gives it out again"
            );
        }

        var keys = new JsonObject
        {
            ["agent"] = _agent,
            ["hub"] = _hub,
            ["wake"] = new JsonObject { ["profiles"] = new JsonArray(profile) },
        };
        foreach (
            var (name, section) in new[] { ("deadlines", _deadlines), ("log", _log) }.Where(one => one.Item2.Count > 0)
        )
        {
            keys[name] = section;
        }

        return new ImportPlan(id, keys, token.Text, _rows, token.Files);
    }

    private string Identity()
    {
        var id = Config.Text("agent_id") ?? throw Missing("agent_id");
        if (!TaskIds.IsValid(id))
        {
            throw new ConfigurationException(
                $"{Config.File}: the agent_id '{Printable.Cut(id, 140)}' cannot be an id here",
                "an id is 1 to 128 letters, digits, '.', '_' or '-'; "
                    + "register the agent at the hub under such a name, and correct agent_id and token"
            );
        }

        Take("agent_id", "agent.id", _agent, "id", id);
        return id;
    }

    private (string Text, IReadOnlyList<string> Files) Token()
    {
        var (own, kept) = (Config.Text("token"), files.Progress?.Optional("token").Text);
        if (own is null && kept is null && files.Imported is { } imported)
        {
            _hub["tokenFile"] = tokenFile;
            _rows.Add(new("token", "hub.tokenFile", ImportOutcome.Changed, $"is in {tokenFile} already"));
            return (imported, []);
        }

        var token =
            own
            ?? kept
            ?? throw new ConfigurationException(
                $"{Config.File}: 'token' is missing, and the agent's directory has none either",
                "have the hub's operator make one and write it there, or name the agent's directory with --agent-dir"
            );
        var place = own is null ? files.Progress!.File : Config.File;
        if (
            token.Length > WireLimits.MaxToken
            || token.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter) || letter == '\uFFFD')
        )
        {
            throw new ConfigurationException(
                $"{place}: 'token' is longer than {WireLimits.MaxToken} characters, or holds blanks",
                "write the token there as the hub gave it out"
            );
        }

        _hub["tokenFile"] = tokenFile;
        var note = $"goes to {tokenFile}, mode 600";
        if (own is null)
        {
            note += $"; it was in {place}";
        }
        else if (kept is not null && own != kept)
        {
            note += $"; {files.Progress!.File} holds another one, which was not taken";
        }

        _rows.Add(new("token", "hub.tokenFile", ImportOutcome.Changed, note));
        string?[] holders = [own is null ? null : Config.File, kept is null ? null : files.Progress!.File];
        return (token, [.. holders.OfType<string>()]);
    }

    private void Address()
    {
        var key = Config.Text("hub_url") is not null ? "hub_url" : "hub_api_url";
        var text = Config.Text(key) ?? throw Missing("hub_url");
        var address = AgentComAddress.Read(Config.File, key, text);
        _hub["url"] = address.Socket;
        var open = address.Open ? "; not encrypted: token and tasks can be read on the way" : "";
        var outcome = address.Changed ? ImportOutcome.Changed : ImportOutcome.Taken;
        _rows.Add(new(key, "hub.url", outcome, address.Shown + open));
    }

    private JsonObject Profile()
    {
        var key =
            Config.Has("wake_command") || !Config.Has("openclaw_wake_command")
                ? "wake_command"
                : "openclaw_wake_command";
        if (command.Count > 0)
        {
            _rows.Add(new(key, "wake.profiles", ImportOutcome.Changed, $"--agent-command: {command[0]}"));
            return WakeCommand.Given(command);
        }

        var text =
            Config.Text(key)
            ?? throw new ConfigurationException(
                $"{Config.File}: '{key}' is empty, so that AgentCom woke no agent; the sidecar has to",
                "name the agent's program with --agent-command /path/of/program, and its arguments likewise, one by one"
            );
        switch (WakeCommand.Read(text, places))
        {
            case WakeCommand.Taken taken:
                _rows.Add(
                    new(
                        key,
                        "wake.profiles",
                        taken.Notes.Count == 0 ? ImportOutcome.Taken : ImportOutcome.Changed,
                        string.Join(
                            "; ",
                            taken.Notes.Prepend($"adapter {taken.Profile["adapter"]}, mode {taken.Profile["mode"]}")
                        )
                    )
                );
                return taken.Profile;
            case WakeCommand.Refused refused:
                throw new ConfigurationException(
                    $"{Config.File}: {key} cannot be carried over: {refused.Why}",
                    refused.Hint
                );
            default:
                throw new InvalidOperationException("A wake command is taken or refused.");
        }
    }

    private void Optional()
    {
        if (Config.Has("name"))
        {
            var (name, complaint) = Config.Optional("name");
            TakeOr("name", "agent.name", _agent, "name", name, complaint);
        }

        if (Config.Has("capabilities"))
        {
            var (texts, complaint) = Config.List("capabilities");
            if (complaint is null)
            {
                _agent["capabilities"] = new JsonArray([.. texts.Select(text => JsonValue.Create(text))]);
                _rows.Add(
                    new(
                        "capabilities",
                        "agent.capabilities",
                        ImportOutcome.Taken,
                        texts.Count == 0 ? "none" : string.Join(", ", texts)
                    )
                );
            }
            else
            {
                Leave("capabilities", complaint);
            }
        }

        Span("confirmation_timeout_ms", "deadlines.confirm", _deadlines, LeastConfirm, MostConfirm);
        Span("heartbeat_interval_ms", "hub.heartbeatInterval", _hub, LeastBeat, MostBeat);
        if (Config.Has("log_level"))
        {
            var (word, complaint) = Config.Optional("log_level");
            var level = word switch
            {
                "debug" => "Debug",
                "info" or "notice" => "Information",
                "warn" or "warning" => "Warning",
                "error" => "Error",
                _ => null,
            };
            TakeOr("log_level", "log.level", _log, "level", level, complaint ?? "there is no such level");
        }
    }

    private void Span(string key, string ours, JsonObject section, TimeSpan least, TimeSpan most)
    {
        if (!Config.Has(key))
        {
            return;
        }

        var (span, complaint) = Config.Milliseconds(key);
        var fits = span >= least && span <= most;
        TakeOr(
            key,
            ours,
            section,
            ours.Split('.')[1],
            fits ? span!.Value.ToString("c", CultureInfo.InvariantCulture) : null,
            complaint
                ?? (span is null ? "it is 0, which stands for the default" : $"must be between {least} and {most} here")
        );
    }

    private void Take(string key, string ours, JsonObject section, string name, string value)
    {
        section[name] = value;
        _rows.Add(new(key, ours, ImportOutcome.Taken, value));
    }

    private void TakeOr(string key, string ours, JsonObject section, string name, string? value, string? complaint)
    {
        if (value is null)
        {
            Leave(key, complaint ?? "it is empty");
        }
        else
        {
            Take(key, ours, section, name, value);
        }
    }

    private void Leave(string key, string why) => _rows.Add(new(key, null, ImportOutcome.LeftOut, why));

    private ConfigurationException Missing(string key) =>
        new(
            $"{Config.File}: '{key}' is missing",
            $"is it the config.json of AgentCom's sidecar? It does not start without '{key}' either"
        );
}
