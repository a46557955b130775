using System.Text.Json.Nodes;

namespace FleetSidecar.Testing;

/// <summary>What a timer is to the dead man's switch: passes of the built program, one after the other, with a systemctl that says what the test wants.</summary>
public sealed class DeadmanTimer(TempDir directory, TestSidecar sidecar)
{
    /// <summary>The unit that the switch is told to look at.</summary>
    public const string UnitName = "fleet-test.service";

    /// <summary>What the switch remembers.</summary>
    public string StateFile => $"{sidecar.State}-deadman/deadman.json";

    /// <summary>What systemctl was called with.</summary>
    public string[] Calls => File.ReadAllLines(directory["calls"]);

    /// <summary>From now on the service manager says this of the unit.</summary>
    public void Unit(string active, string result, string file = "enabled", int? status = null)
    {
        directory.WriteScript("bin/systemctl", $"echo \"$*\" >>'{directory["calls"]}'\ncase \"$*\" in *' show '*) cat '{directory["unit"]}';; esac");
        directory.Write("unit", $"LoadState=loaded\nUnitFileState={file}\nActiveState={active}\nResult={result}\nExecMainStatus={status ?? (result == "exit-code" ? 1 : 0)}\n");
    }

    /// <summary>One pass; what it logged.</summary>
    public async Task<string> PassAsync(params string[] more)
    {
        var (code, text) = await TestProgram.RunAsync(TestProgram.Sidecar, ["deadman", "--config", sidecar.ConfigFile, "--unit", UnitName, .. more],
            new Dictionary<string, string?> { ["PATH"] = $"{directory["bin"]}:{Environment.GetEnvironmentVariable("PATH")}" });
        return code == 0 ? text : throw new InvalidOperationException($"the pass ended with {code}: {text}");
    }

    /// <summary>Lets time pass for the switch: everything it remembers was so much earlier.</summary>
    public void Earlier(TimeSpan span)
    {
        var state = JsonNode.Parse(File.ReadAllText(StateFile))!.AsObject();
        foreach (var name in state.Select(pair => pair.Key).Where(name => name.EndsWith("_unix_ms", StringComparison.Ordinal)).ToList())
        {
            state[name] = state[name]!.GetValue<long>() - (long)span.TotalMilliseconds;
        }

        File.WriteAllText(StateFile, state.ToJsonString());
    }
}
