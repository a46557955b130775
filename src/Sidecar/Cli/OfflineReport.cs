using System.Text.Json;
using FleetSidecar.Ground.CommandLine;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;
using FleetSidecar.Runs;

namespace FleetSidecar.Cli;

/// <summary>Leaves what an agent says as a file, in the form that agents without a command line use, while no sidecar runs.</summary>
internal static class OfflineReport
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private const UnixFileMode Enterable = PrivateDirectory.Mode | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>The file, or null where there is nothing worth keeping. A report that is there already stands.</summary>
    public static string? Leave(string action, string? text, string directory, string taskId)
    {
        if (!TaskIds.IsValid(taskId))
        {
            throw new UsageException("FLEET_TASK_ID is not a task's id", "leave the variables of the run as the sidecar set them");
        }

        var (file, content) = action switch
        {
            "start" => (Path.Combine(directory, $"{taskId}.started"), ""),
            "complete" => (Result(), Json(AgentReport.Success, "output", text)),
            "fail" => (Result(), Json(AgentReport.Failed, "reason", text)),
            "handoff" => (Result(), Json(AgentReport.HandOff, "reason", text)),
            _ => (null, ""),
        };
        if (file is not null && !File.Exists(file))
        {
            if (PathFacts.Of(directory) is null && Directory.Exists(Path.GetDirectoryName(directory)))
            {
                Directory.CreateDirectory(directory, Enterable); // Another agent may have tidied it away, and no sidecar runs that would make it again.
            }

            OwnedFile.Write(file, System.Text.Encoding.UTF8.GetBytes(content), Readable); // By the sidecar, which may be another user.
        }

        return file;

        string Result() => Path.Combine(directory, $"{taskId}.json");
    }

    private static string Json(string status, string name, string? text)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("status", status);
            json.WriteString(name, text);
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
