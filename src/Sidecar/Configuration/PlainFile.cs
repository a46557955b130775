using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FleetSidecar.Protocol;

namespace FleetSidecar.Configuration;

/// <summary>Reads one good file section by section, so that a start sets up the metadata of the sections that are there and no others.</summary>
/// <remarks>Null for whatever it does not know at once: the thorough reader then takes it, or says what is wrong.</remarks>
internal static class PlainFile
{
    private static readonly JsonReaderOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = ConfigSource.MaxDepth };

    public static SidecarConfig? Read(ReadOnlySpan<byte> text)
    {
        var config = new SidecarConfig();
        var seen = new HashSet<string>();
        var reader = new Utf8JsonReader(OutsideText.Json(text, out var repaired), Lenient);
        if (repaired || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (!reader.Read() || !seen.Add(name) || !ReadSection(ref reader, name, config))
            {
                return null;
            }
        }

        return reader.Read() ? null : config;
    }

    private static bool ReadSection(ref Utf8JsonReader reader, string name, SidecarConfig config)
    {
        switch (name)
        {
            case "stateDirectory" when reader.TokenType == JsonTokenType.String: config.StateDirectory = reader.GetString()!; break;
            case "agent": config.Agent = Section(ref reader, ConfigJson.Default.AgentOptions); break;
            case "hub": config.Hub = Section(ref reader, ConfigJson.Default.HubOptions); break;
            case "control": config.Control = Section(ref reader, ConfigJson.Default.ControlOptions); break;
            case "wake": config.Wake = Section(ref reader, ConfigJson.Default.WakeOptions); break;
            case "workspace": config.Workspace = Section(ref reader, ConfigJson.Default.WorkspaceOptions); break;
            case "deadlines": config.Deadlines = Section(ref reader, ConfigJson.Default.DeadlineOptions); break;
            case "selfTest": config.SelfTest = Section(ref reader, ConfigJson.Default.SelfTestOptions); break;
            case "retention": config.Retention = Section(ref reader, ConfigJson.Default.RetentionOptions); break;
            case "safeMode": config.SafeMode = Section(ref reader, ConfigJson.Default.SafeModeOptions); break;
            case "gate": config.Gate = Section(ref reader, ConfigJson.Default.GateOptions); break;
            case "identity": config.Identity = Section(ref reader, ConfigJson.Default.IdentityOptions); break;
            case "supervise": config.Supervise = Section(ref reader, ConfigJson.Default.SuperviseOptions); break;
            case "alerts": config.Alerts = Section(ref reader, ConfigJson.Default.AlertsOptions); break;
            case "log": config.Log = Section(ref reader, ConfigJson.Default.LogOptions); break;
            default: return false;
        }

        return true;
    }

    private static T Section<T>(ref Utf8JsonReader reader, JsonTypeInfo<T> shape)
        where T : class => JsonSerializer.Deserialize(ref reader, shape) ?? throw new JsonException();
}
