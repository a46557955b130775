namespace FleetSidecar.Ground.CommandLine;

/// <summary>The program's own standard output and error: answers on one, complaints on the other.</summary>
public static class Terminal
{
    public static Stream Raw { get; } = Console.OpenStandardOutput();

    public static void Write(string text) => Console.Out.Write(text);

    /// <summary>One line: what is wrong, and what to do next.</summary>
    public static void Complain(string program, string message, string hint) =>
        Console.Error.WriteLine($"{program}: {message.ReplaceLineEndings(" ")}; {hint.ReplaceLineEndings(" ")}");
}
