using System.Globalization;
using System.Text;
using FleetSidecar.Ground.Processes;

namespace FleetSidecar.Agents;

/// <summary>Every live process that belongs to a run: who carries its nonce, who is in its recorder's session or group, and their children.</summary>
/// <remarks>An agent may clear its environment, another may leave the session; nobody is found who did both and whose parent is gone.
/// That takes a control group of the agent's own.</remarks>
internal static class ProcessFamily
{
    /// <param name="nonce">The run's.</param>
    /// <param name="leader">The recorder, alive or not; it made the session.</param>
    public static List<ProcessIdentity> Of(string nonce, ProcessIdentity? leader) => Marked($"FLEET_NONCE={nonce}\0", leader);

    /// <summary>The same for whatever carries a text in its environment.</summary>
    public static List<ProcessIdentity> Marked(string variable, ProcessIdentity? leader)
    {
        var all = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => char.IsAsciiDigit(name![0])).Select(name => Read(name!)).OfType<Member>().ToList();
        var wanted = Encoding.UTF8.GetBytes(variable);

        // The number of a session is not given to another process while the session has a member; if it now names a process
        // that is not the recorder, the session is over and another one may have the number.
        var session = leader is not null && leader.BootId == ProcessIdentity.CurrentBootId
            && !all.Exists(member => member.Identity.Pid == leader.Pid && member.Identity.StartTicks != leader.StartTicks) ? leader.Pid : -1;
        var family = all.Where(member => (session > 1 && (member.Session == session || member.Group == session) && member.Identity.StartTicks >= leader!.StartTicks)
            || ProcessEnvironments.Carries(member.Identity.Pid, wanted)).ToDictionary(member => member.Identity.Pid);
        for (var grown = true; grown;)
        {
            var children = all.Where(member => family.ContainsKey(member.Parent) && !family.ContainsKey(member.Identity.Pid)).ToList();
            grown = children.Count > 0;
            children.ForEach(child => family[child.Identity.Pid] = child);
        }

        return [.. family.Values.Select(member => member.Identity).OrderBy(member => member.StartTicks).ThenBy(member => member.Pid)];
    }

    /// <summary>True for the first process of a session, which is what we start.</summary>
    public static bool LeadsSession(ProcessIdentity process) => Read($"{process.Pid}") is { } member && member.Identity == process && member.Session == process.Pid;

    private static Member? Read(string pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return ProcessIdentity.FromStat(stat, ProcessIdentity.CurrentBootId) is { } identity
                ? new Member(identity, Number(fields[1]), Number(fields[2]), Number(fields[3]))
                : null;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static int Number(string field) => int.Parse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);

    // Fields 4 to 6 of /proc/PID/stat: parent, group, session.
    private sealed record Member(ProcessIdentity Identity, int Parent, int Group, int Session);
}
