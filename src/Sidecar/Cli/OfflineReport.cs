using System.Text;
using System.Text.Json;
using FleetSidecar.Agents;
using FleetSidecar.Ground;
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

    /// <summary>The file, or null where there is nothing worth keeping. What stands there and is no report gets another name beside it.</summary>
    /// <exception cref="SidecarException">There is another report of this run already, and that one stands.</exception>
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
        if (file is not null && (action == "start" ? !File.Exists(file) : IsFree(file, content)))
        {
            if (PathFacts.Of(directory) is null && Directory.Exists(Path.GetDirectoryName(directory)))
            {
                Directory.CreateDirectory(directory, Enterable); // Another agent may have tidied it away, and no sidecar runs that would make it again.
            }

            OwnedFile.Write(file, Encoding.UTF8.GetBytes(content), Readable); // By the sidecar, which may be another user.
        }

        return file;

        string Result() => Path.Combine(directory, $"{taskId}.json");
    }

    // False where the same was said before: an agent that did not hear the first answer says it twice.
    private static bool IsFree(string file, string content)
    {
        if (PathFacts.Of(file) is null)
        {
            return true;
        }

        if (OutsideFile.Read(file, ResultReport.Largest, followLink: false) is { } bytes && ResultReport.Read(bytes, out _) is { } known)
        {
            return known == ResultReport.Read(Encoding.UTF8.GetBytes(content), out _) ? false
                : throw new SidecarException($"this run has already reported '{Printable.Cut(known.Status, 40)}' in {file}", "the first report stands");
        }

        FileRename.Over(file, $"{file}.stale-{Guid.NewGuid():N}");
        return true;
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

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
