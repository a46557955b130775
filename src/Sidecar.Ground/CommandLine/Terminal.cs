namespace FleetSidecar.Ground.CommandLine;

/// <summary>The program's own standard output and error: answers on one, complaints on the other.</summary>
public static class Terminal
{
    public static Stream Raw { get; } = Console.OpenStandardOutput();

    public static void Write(string text) => Console.Out.Write(text);

    /// <summary>All of the standard input, or null where it is longer.</summary>
    public static byte[]? ReadInput(int limit)
    {
        using var input = Console.OpenStandardInput();
        var bytes = new byte[limit + 1];
        var length = input.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return length <= limit ? bytes[..length] : null;
    }

    /// <summary>One line: what is wrong, and what to do next.</summary>
    public static void Complain(string program, string message, string hint) =>
        Console.Error.WriteLine($"{program}: {message.ReplaceLineEndings(" ")}; {hint.ReplaceLineEndings(" ")}");
}
