using System.ComponentModel.DataAnnotations;

namespace FleetSidecar.Supervise;

/// <summary>Section <c>supervise</c>: processes, tmux panes and units that are kept alive beside the runs. Off without members.</summary>
internal sealed class SuperviseOptions
{
    /// <summary>Time between two looks at a member (a cycle), 100 ms to 1 h; default 30 s. The end of a process is noticed at once.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>What is kept alive, at most 64. Default none: the section is off.</summary>
    public List<MemberOptions> Members { get; set; } = [];
}

/// <summary>One thing that is kept alive.</summary>
internal sealed class MemberOptions
{
    /// <summary>Name in reports, and of its directory below <c>supervise</c> in the state directory: 1 to 64 letters, digits, '-' or '_'. Required.</summary>
    public string Name { get; set; } = "";

    /// <summary><c>process</c> (default), <c>tmux</c> or <c>unit</c>.</summary>
    [AllowedValues(MemberKind.Process, MemberKind.Tmux, MemberKind.Unit)]
    public string Kind { get; set; } = MemberKind.Process;

    /// <summary>Argv that begins anew; its program by absolute path, and it stays in the foreground. Required for process and tmux.</summary>
    public List<string> Command { get; set; } = [];

    /// <summary>Argv that goes on where the last life ended; tried first after a death. Default none.</summary>
    public List<string> ResumeCommand { get; set; } = [];

    /// <summary>A life shorter than this leaves nothing to resume, and the next one begins with <see cref="Command"/>; 0 to 1 h, default 1 min.</summary>
    public TimeSpan ResumeProves { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>Working directory, an absolute path; default <c>/</c>.</summary>
    public string? Directory { get; set; }

    /// <summary>Further variables. Not for secrets: of a pane they can be read off the process list and off tmux. Default none.</summary>
    public Dictionary<string, string> Environment { get; set; } = [];

    /// <summary>Names of the daemon's own variables that are passed on beside PATH, HOME, USER, LANG and the like. Default none.</summary>
    public List<string> PassEnvironment { get; set; } = [];

    /// <summary>Kind tmux: <c>SESSION:WINDOW.PANE</c>; the window by number or name. Required there.</summary>
    public string? Target { get; set; }

    /// <summary>Kind tmux: path of the server's socket (<c>tmux -S</c>). Default: the service user's own server.</summary>
    public string? Socket { get; set; }

    /// <summary>Kind tmux: after how many cycles without any change of the pane's text the member is stuck and started anew, 0 to 10,000; default 0, never.</summary>
    public int StuckAfterCycles { get; set; }

    /// <summary>Kind tmux: a pane whose text matches waits for somebody, and is not stuck. A .NET expression without look-around and back-references; <c>$</c> is the end of the text, without its white space: <c>>$</c>. Default none.</summary>
    public string? IdlePattern { get; set; }

    /// <summary>Kind tmux: only a pane whose text matches is at work and can be stuck; written as <see cref="IdlePattern"/>. Default none: any can.</summary>
    public string? BusyPattern { get; set; }

    /// <summary>Kind unit: the unit's full name, <c>openclaw.service</c>. Required there.</summary>
    public string? Unit { get; set; }

    /// <summary>Most starts within <see cref="RestartWindow"/>, 1 to 100; default 5. Then the member is given up until the window has passed or somebody says <c>supervise retry</c>.</summary>
    public int Restarts { get; set; } = 5;

    /// <summary>The time in which starts are counted, and after which a member that was given up is tried again; 100 ms to 7 days, default 1 h.</summary>
    public TimeSpan RestartWindow { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Wait between a death and the start after it, doubled for each death in a row; 0 to 1 h, default 5 s.</summary>
    public TimeSpan Backoff { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest such wait, at least <see cref="Backoff"/> and at most 1 day; default 5 min.</summary>
    public TimeSpan BackoffMost { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a life must last for the back-off to begin anew and the trouble to count as over, 0 to 1 day; default 10 min.</summary>
    public TimeSpan StableAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>A file that the member touches while it is well, an absolute path; its time of change counts, not what is in it. Default none.</summary>
    public string? HeartbeatFile { get; set; }

    /// <summary>How old that time may get before somebody is told, 100 ms to 7 days; default 5 min. Nothing is restarted for it.</summary>
    public TimeSpan HeartbeatStale { get; set; } = TimeSpan.FromMinutes(5);
}

/// <summary>What a member is.</summary>
internal static class MemberKind
{
    public const string Process = "process", Tmux = "tmux", Unit = "unit";
}
