using System.Globalization;

namespace FleetSidecar.Supervise;

/// <summary>A pane as the operator names it: <c>SESSION:WINDOW.PANE</c>.</summary>
/// <remarks>Compared by us with what tmux lists. tmux's own look-up takes a beginning, a pattern or the pane next to it for what was named.</remarks>
internal sealed record TmuxTarget(string Session, string Window, int Pane)
{
    private const int Longest = 64;

    /// <summary>Null where the text names no one pane.</summary>
    public static TmuxTarget? TryParse(string? text) =>
        text?.Split(':') is [var session, var rest] && IsName(session) && rest.LastIndexOf('.') is > 0 and var dot && IsName(rest[..dot])
        && int.TryParse(rest[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var pane) && pane < 1000
            ? new TmuxTarget(session, rest[..dot], pane) : null;

    /// <summary>The window's number, where it is named by one.</summary>
    public int? WindowIndex => int.TryParse(Window, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : null;

    /// <summary>The pane among all that tmux lists in <see cref="TmuxPane.Format"/>.</summary>
    public TmuxPane? In(string listing) => listing.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(TmuxPane.TryParse).OfType<TmuxPane>()
        .FirstOrDefault(pane => pane.Session == Session && pane.Pane == Pane && (WindowIndex is { } index ? pane.WindowIndex == index : pane.Window == Window));

    public bool HasSession(string listing) => Panes(listing).Any(pane => pane.Session == Session);

    public bool HasWindow(string listing) => Panes(listing).Any(pane => pane.Session == Session && (WindowIndex is { } index ? pane.WindowIndex == index : pane.Window == Window));

    public override string ToString() => $"{Session}:{Window}.{Pane}";

    private static IEnumerable<TmuxPane> Panes(string listing) => listing.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(TmuxPane.TryParse).OfType<TmuxPane>();

    private static bool IsName(string text) => text.Length is > 0 and <= Longest && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-') && text[0] != '-';
}

/// <summary>One pane of a tmux server.</summary>
/// <param name="Id"><c>%N</c>, which names this pane and no other as long as the server lives.</param>
internal sealed record TmuxPane(string Id, bool Dead, int Pid, string Session, int WindowIndex, string Window, int Pane)
{
    /// <summary>What to ask of <c>list-panes</c>. A session's name holds no colon; a window's may hold anything, so it comes last.</summary>
    public const string Format = "#{pane_id} #{pane_dead} #{pane_pid} #{window_index} #{pane_index} #{session_name}:#{window_name}";

    public static TmuxPane? TryParse(string line) =>
        line.Split(' ', 6) is [['%', ..] id, var dead, var pid, var window, var pane, var names] && names.Split(':', 2) is [var session, var name]
        && Number(pid) is { } process && Number(window) is { } windowIndex && Number(pane) is { } paneIndex
            ? new TmuxPane(id, dead == "1", process, session, windowIndex, name, paneIndex) : null;

    private static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
