using FleetSidecar.Supervise;

namespace FleetSidecar.Configuration;

/// <summary>The rules of section <c>supervise</c>.</summary>
internal static class SuperviseProblems
{
    private const int MostMembers = 64, LongestName = 64, LongestUnit = 255, LongestPattern = 500, LongestCommand = 4_096;
    private static readonly TimeSpan Instant = TimeSpan.FromMilliseconds(100);

    public static IEnumerable<ConfigProblem> In(SuperviseOptions supervise)
    {
        if (supervise.Interval < Instant || supervise.Interval > TimeSpan.FromHours(1))
        {
            yield return new("supervise.interval", $"must be between {Instant} and {TimeSpan.FromHours(1)}", "write it as \"hh:mm:ss\"");
        }

        if (supervise.Members.Count > MostMembers)
        {
            yield return new("supervise.members", $"has more than {MostMembers} members", "give the others to the service manager");
        }

        for (var index = 0; index < supervise.Members.Count; index++)
        {
            var (member, key) = (supervise.Members[index], $"supervise.members[{index}]");
            if (member is null)
            {
                yield return new(key, "is null", "write it as { \"name\": …, \"kind\": …, … }");
                continue;
            }

            if (member.Name.Length is 0 or > LongestName || !member.Name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_') || member.Name[0] == '-')
            {
                yield return new($"{key}.name", $"must be 1 to {LongestName} letters, digits, '-' or '_'", "for example gateway");
            }

            if (supervise.Members.Take(index).Any(other => other?.Name == member.Name))
            {
                yield return new($"{key}.name", $"'{member.Name}' is taken by another member", "choose another name");
            }

            foreach (var problem in Kind(member).Concat(Commands(member)).Concat(Bounds(member)))
            {
                yield return problem with { Key = $"{key}.{problem.Key}" };
            }
        }
    }

    private static IEnumerable<ConfigProblem> Kind(MemberOptions member)
    {
        var (process, tmux, unit) = (member.Kind == MemberKind.Process, member.Kind == MemberKind.Tmux, member.Kind == MemberKind.Unit);
        if (!process && !tmux && !unit)
        {
            yield return new("kind", $"must be {MemberKind.Process}, {MemberKind.Tmux} or {MemberKind.Unit}", "under systemd unit is the one that outlives the sidecar");
        }

        if (unit ? !IsUnit(member.Unit) : member.Unit is not null)
        {
            yield return new("unit", unit ? "must be the full name of a unit" : "belongs to kind unit", "for example openclaw.service");
        }

        if (tmux ? TmuxTarget.TryParse(member.Target) is null : member.Target is not null)
        {
            yield return new("target", tmux ? "must name one pane as SESSION:WINDOW.PANE" : "belongs to kind tmux", "for example agents:0.0; names are letters, digits, '-' and '_'");
        }

        if (member.Socket is { } socket && (!tmux || !IsPath(socket)))
        {
            yield return new("socket", "must be an absolute path, and belongs to kind tmux", "leave it out for the service user's own tmux server");
        }

        if (member.StuckAfterCycles is < 0 or > 10_000 || (member.StuckAfterCycles > 0 && !tmux))
        {
            yield return new("stuckAfterCycles", "must be 0 to 10000, and belongs to kind tmux", "leave it out");
        }

        foreach (var (name, _) in new[] { ("idlePattern", member.IdlePattern), ("busyPattern", member.BusyPattern) }.Where(one => one.Item2 is { } pattern && (!tmux || member.StuckAfterCycles == 0 || !IsPattern(pattern))))
        {
            yield return new(name, $"must be an expression of at most {LongestPattern} characters without look-around and back-references, beside stuckAfterCycles", "for example \">$\"; white space at the end of the text does not count");
        }
    }

    private static IEnumerable<ConfigProblem> Commands(MemberOptions member)
    {
        if (member.Kind == MemberKind.Unit)
        {
            if (member.Command.Count > 0 || member.ResumeCommand.Count > 0 || member.Directory is not null || member.Environment.Count > 0 || member.PassEnvironment.Count > 0)
            {
                yield return new("command", "and resumeCommand, directory, environment, passEnvironment do not belong to kind unit", "write them into the unit file");
            }

            yield break;
        }

        foreach (var (name, command, required) in new[] { ("command", member.Command, true), ("resumeCommand", member.ResumeCommand, false) })
        {
            if (command.Count == 0 ? required : !IsPath(command[0] ?? "") || command[0].Contains('=', StringComparison.Ordinal))
            {
                yield return new(name, "must begin with the absolute path of a program, without '='", "for example [\"/usr/bin/node\", \"/srv/agent/main.js\"]");
            }

            if (command.Any(part => part is null || part.AsSpan().ContainsAny('\0', '\n')) || command.Sum(part => part?.Length ?? 0) > LongestCommand)
            {
                yield return new(name, $"holds a line break or NUL, or is longer than {LongestCommand} characters", "put long or odd texts into a script of your own");
            }
        }

        if (member.Directory is { } directory && !IsPath(directory))
        {
            yield return new("directory", "must be an absolute path", "leave it out for /");
        }

        if (member.Environment.Keys.Concat(member.PassEnvironment).FirstOrDefault(name => !IsVariable(name)) is { } odd)
        {
            yield return new("environment", $"'{Protocol.Printable.Cut(odd, 40)}' cannot be given", "names are letters, digits and '_'; FLEET_… belongs to the sidecar");
        }

        if (member.Environment.Values.Any(value => value is null || value.AsSpan().ContainsAny('\0', '\n')))
        {
            yield return new("environment", "holds a value with a line break or NUL, or none", "write it as { \"NAME\": \"value\" }");
        }
    }

    private static IEnumerable<ConfigProblem> Bounds(MemberOptions member)
    {
        if (member.Restarts is < 1 or > 100)
        {
            yield return new("restarts", "must be 1 to 100", "leave it out");
        }

        foreach (var (name, value, least, most) in new[]
        {
            ("resumeProves", member.ResumeProves, TimeSpan.Zero, TimeSpan.FromHours(1)),
            ("restartWindow", member.RestartWindow, Instant, TimeSpan.FromDays(7)),
            ("backoff", member.Backoff, TimeSpan.Zero, TimeSpan.FromHours(1)),
            ("backoffMost", member.BackoffMost, member.Backoff, TimeSpan.FromDays(1)),
            ("stableAfter", member.StableAfter, TimeSpan.Zero, TimeSpan.FromDays(1)),
            ("heartbeatStale", member.HeartbeatStale, Instant, TimeSpan.FromDays(7)),
        })
        {
            if (value < least || value > most)
            {
                yield return new(name, $"must be between {least} and {most}", "write it as \"hh:mm:ss\"");
            }
        }

        if (member.HeartbeatFile is { } file && !IsPath(file))
        {
            yield return new("heartbeatFile", "must be an absolute path", "leave it out where the member writes none");
        }
    }

    private static bool IsPath(string path) => Path.IsPathFullyQualified(path) && !path.Any(char.IsControl);

    private static bool IsVariable(string name) => name is { Length: > 0 } && !char.IsAsciiDigit(name[0]) && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '_')
        && !name.StartsWith("FLEET_", StringComparison.OrdinalIgnoreCase);

    // systemd.unit(5): what a name may be made of; the dot is that of its type.
    private static bool IsUnit(string? name) => name is { Length: > 2 and <= LongestUnit } && name[0] is not ('-' or '.') && name.LastIndexOf('.') is > 0 and var dot && dot < name.Length - 1
        && name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is ':' or '-' or '_' or '.' or '\\' or '@');

    private static bool IsPattern(string pattern)
    {
        try
        {
            return pattern.Length is > 0 and <= LongestPattern && TmuxMember.Pattern(pattern) is not null;
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }
}
