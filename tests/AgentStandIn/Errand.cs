using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace FleetSidecar.AgentStandIn;

/// <summary>What a prompt asks of a stand-in, with the words that the project's fake provider knows too: FAKE_EXEC, FAKE_STATUS, FAKE_SLEEP, and two of its own.</summary>
internal sealed partial class Errand(string prompt)
{
    public const string Said = "FAKE-OK canned completion";

    public string? Command => Of("EXEC");

    /// <summary>The status with which the provider answers.</summary>
    public int? Status => Of("STATUS") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : null;

    /// <summary>It ends at once with exit code 0 and prints nothing, as Claude Code does when interrupted.</summary>
    public bool IsSilent => prompt.Contains("FAKE_SILENCE", StringComparison.Ordinal);

    public Task SleepAsync() => Task.Delay(TimeSpan.FromMilliseconds(Of("SLEEP") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : 0), TimeProvider.System, CancellationToken.None);

    /// <summary>The whole of standard input; never ends while somebody holds it open.</summary>
    public static async Task<string> FromInputAsync() => await Console.In.ReadToEndAsync();

    /// <summary>Runs the command in a shell, as an agent's tool does.</summary>
    public async Task<string> ExecAsync() => Command is { } command ? await ShellAsync(command) : "";

    /// <summary>Reports as the prompt says, for tools that see no environment: <c>FAKE_REPORT:complete --output x:END</c>.</summary>
    public async Task ReportAsync()
    {
        if (Of("REPORT") is { } report && Introduction().Match(prompt) is { Success: true } introduction && ProgramLine().Match(prompt) is { Success: true } program)
        {
            await ShellAsync($"{introduction.Groups["env"].Value} {program.Groups["program"].Value} task start && {introduction.Groups["env"].Value} {program.Groups["program"].Value} task {report}");
        }
    }

    public static string Json(string text) => $"\"{JsonEncodedText.Encode(text)}\"";

    [SuppressMessage("ApiDesign", "RS0030", Justification = "A stand-in for programs that run shells.")]
    private static async Task<string> ShellAsync(string command)
    {
        using var shell = new Process { StartInfo = new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true, RedirectStandardInput = true } };
        shell.Start();
        shell.StandardInput.Close();
        var output = await shell.StandardOutput.ReadToEndAsync();
        await shell.WaitForExitAsync();
        return output;
    }

    private string? Of(string word) => Regex.Match(prompt, $"FAKE_{word}:(.*?):END", RegexOptions.Singleline) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex("^    (?<env>env FLEET_TASK_ID=.*)$", RegexOptions.Multiline)]
    private static partial Regex Introduction();

    [GeneratedRegex("^    (?<program>.*) task start$", RegexOptions.Multiline)]
    private static partial Regex ProgramLine();
}
