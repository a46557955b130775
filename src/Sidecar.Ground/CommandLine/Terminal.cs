using System.Text;

namespace FleetSidecar.Ground.CommandLine;

/// <summary>The program's own standard output and error: answers on one, complaints on the other.</summary>
/// <remarks>Every word that either program prints for people passes <see cref="Visible"/> here, because much of it comes from tasks,
/// agents, repositories and hubs; a verb cannot forget it. Bytes as they are come out of <see cref="WriteRaw"/> and, where
/// no terminal reads them, of <see cref="Output"/>.</remarks>
public static class Terminal
{
    private static readonly Lock Turn = new();
    private static readonly StandardStream Standard = new(StandardStream.Output), Complaints = new(StandardStream.Error);

    /// <summary>Whether a terminal reads our answers, and not a file or another program.</summary>
    public static bool IsWatched => !Console.IsOutputRedirected;

    /// <summary>An answer, for people or as JSON; whatever would make a terminal act is shown.</summary>
    public static void Write(string text) => WriteRaw(Visible.Text(text));

    /// <summary>An answer as it is, for a caller that asked for it by an option.</summary>
    public static void WriteRaw(string text)
    {
        lock (Turn)
        {
            Standard.Write(Encoding.UTF8.GetBytes(text));
        }
    }

    /// <summary>Where an agent's output is copied to: as it is into files and programs, shown on a terminal.</summary>
    /// <param name="raw">As it is on a terminal, too.</param>
    public static Stream Output(bool raw) => raw || !IsWatched ? new StandardStream(StandardStream.Output) : new VisibleStream(WriteRaw);

    /// <summary>For the library that prints help and versions.</summary>
    internal static TextWriter Answers() => new StreamWriter(Standard) { AutoFlush = true };

    /// <summary>How wide a line may be: the terminal's width, and without bound in a file or a pipe.</summary>
    internal static int Width => Standard.Columns() ?? int.MaxValue;

    /// <summary>All of the standard input, or null where it is longer.</summary>
    public static byte[]? ReadInput(int limit)
    {
        using var input = Console.OpenStandardInput();
        var bytes = new byte[limit + 1];
        var length = input.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return length <= limit ? bytes[..length] : null;
    }

    /// <summary>One line: what is wrong, and what to do next.</summary>
    public static void Complain(string program, string message, string hint)
    {
        Complaints.Write(Encoding.UTF8.GetBytes(Visible.Text($"{program}: {message.ReplaceLineEndings(" ")}; {hint.ReplaceLineEndings(" ")}") + "\n"));
    }
}
