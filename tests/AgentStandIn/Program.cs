using System.Text;
using FleetSidecar.AgentStandIn;

// Called by a symbolic link it is the program of that name; else the first argument says which.
var called = Path.GetFileName(Encoding.UTF8.GetString(File.ReadAllBytes("/proc/self/cmdline")).Split('\0')[0]);
var (name, rest) = called == "agent-stand-in" ? (args.FirstOrDefault() ?? "", args.Skip(1).ToArray()) : (called, args);
Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
return (name, rest) switch
{
    ("claude", ["--version"]) => Print("2.1.329 (Claude Code)"),
    ("codex", ["--version"]) => Print("codex-cli 0.169.0"),
    ("gemini", ["--version"]) => Print("0.61.0"),
    ("opencode", ["--version"]) => Print("1.18.33"),
    ("openclaw", ["--version"]) => Print("OpenClaw 2026.9.6 (eb377ac)"),
    ("claude", _) => await ClaudeStandIn.RunAsync(new Words(rest)),
    ("codex", _) => await CodexStandIn.RunAsync(new Words(rest)),
    ("gemini", _) => await GeminiStandIn.RunAsync(new Words(rest)),
    ("opencode", _) => await OpencodeStandIn.RunAsync(new Words(rest)),
    ("openclaw", _) => await OpenClawStandIn.RunAsync(new Words(rest)),
    _ => throw new ArgumentException($"There is no stand-in for '{name}'."),
};

static int Print(string text)
{
    Console.WriteLine(text);
    return 0;
}
