namespace FleetSidecar.Supervise;

/// <summary>The argv by which tmux begins a program in a pane, without any shell. Pure.</summary>
internal static class TmuxStart
{
    private const string Env = "/usr/bin/env";

    /// <summary>Where it goes: into the dead pane, a new pane, a new window or a new session.</summary>
    public static IEnumerable<string> Place(TmuxTarget target, string listing) =>
        target.In(listing) is { } pane ? ["respawn-pane", "-t", pane.Id]
        : target.HasWindow(listing) ? ["split-window", "-d", "-t", $"={target.Session}:{Window(target)}"]
        : target.HasSession(listing) ? ["new-window", "-d", "-t", target.WindowIndex is { } index ? $"={target.Session}:{index}" : $"={target.Session}:", .. Name(target)]
        : ["new-session", "-d", "-s", target.Session, .. Name(target)];

    /// <summary>A new session's window has the server's first number; where another was asked for, it is moved there in the same breath.</summary>
    public static IEnumerable<string> Move(TmuxTarget target, string listing) => !target.HasSession(listing) && target.WindowIndex is { } index
        ? [";", "move-window", "-s", $"={target.Session}:^", "-t", $"={target.Session}:{index}"] : [];

    /// <summary>tmux gives a single word to a shell, and takes a word that ends with a semicolon for the end of its own command: env makes it more than one, a backslash keeps the semicolon.</summary>
    public static IEnumerable<string> Command(IReadOnlyList<string> command, IEnumerable<KeyValuePair<string, string>> environment) =>
        new[] { Env }.Concat(environment.Select(variable => $"{variable.Key}={variable.Value}")).Concat(command).Select(word => word.EndsWith(';') ? $"{word[..^1]}\\;" : word);

    private static string Window(TmuxTarget target) => target.WindowIndex is null ? $"={target.Window}" : target.Window;

    private static IEnumerable<string> Name(TmuxTarget target) => target.WindowIndex is null ? ["-n", target.Window] : [];
}
