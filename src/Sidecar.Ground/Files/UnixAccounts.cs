using System.Runtime.InteropServices;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Files;

/// <summary>Users and groups of this machine, from its own two files; accounts of a name service are not among them.</summary>
public static partial class UnixAccounts
{
    private const int LargestFile = 1024 * 1024;
    private const int NameField = 0, NumberField = 2, GroupOfUserField = 3, MembersField = 3;

    /// <summary>The user that this program runs as.</summary>
    public static uint Self { get; } = GetUser();

    /// <summary>The number of a group, or null where this machine has none of that name.</summary>
    public static uint? GroupId(string name) => Lines("/etc/group").FirstOrDefault(fields => fields[NameField] == name) is { } found && uint.TryParse(found[NumberField], out var id) ? id : null;

    /// <summary>The users of this machine whose names begin so.</summary>
    public static IEnumerable<string> NamesFrom(string beginning) => Lines("/etc/passwd").Select(fields => fields[NameField]).Where(name => name.StartsWith(beginning, StringComparison.Ordinal));

    /// <summary>A user's name for people, or the number where the machine's own file has none.</summary>
    public static string NameOf(uint user) => Lines("/etc/passwd").FirstOrDefault(fields => IsNumber(fields[NumberField], user))?[NameField] ?? $"user {user}";

    /// <summary>The group that a user has by itself, or null where the machine's own file does not know the user.</summary>
    public static uint? GroupOf(uint user) => Lines("/etc/passwd").FirstOrDefault(fields => IsNumber(fields[NumberField], user)) is { } found && uint.TryParse(found[GroupOfUserField], out var group) ? group : null;

    /// <summary>True where a group is known to have no member but root and this user, as the group that many systems make for each user.</summary>
    public static bool IsOnlyOf(uint group, uint user)
    {
        var users = Lines("/etc/passwd").ToList();
        var found = Lines("/etc/group").Where(fields => IsNumber(fields[NumberField], group)).ToList();
        var trusted = users.Where(fields => IsNumber(fields[NumberField], 0) || IsNumber(fields[NumberField], user)).Select(fields => fields[NameField]).ToHashSet();
        return found.Count > 0
            && found.TrueForAll(fields => fields[MembersField].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).All(trusted.Contains))
            && users.TrueForAll(fields => !IsNumber(fields[GroupOfUserField], group) || trusted.Contains(fields[NameField]));
    }

    private static bool IsNumber(string field, uint number) => uint.TryParse(field, out var found) && found == number;

    private static IEnumerable<string[]> Lines(string file) => OutsideFile.Read(file, LargestFile, followLink: true) is { } bytes
        ? OutsideText.Decode(bytes).Split('\n').Select(line => line.Split(':')).Where(fields => fields.Length > MembersField) : [];

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetUser();
}
