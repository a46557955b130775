using System.Text;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Workspaces;

/// <summary>Names of files in a file, each ended by a NUL, as git reads and writes them with <c>-z</c>. Names are bytes, held here one letter a byte (Latin-1): they need not be text.</summary>
internal static class NameList
{
    public static void Write(string file, IEnumerable<string> names) => NewFile.Write(file, Encoding.Latin1.GetBytes(string.Concat(names.Select(name => name + '\0'))));

    public static async Task<string[]> ReadAsync(string file, CancellationToken token) =>
        Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file, token)).Split('\0', StringSplitOptions.RemoveEmptyEntries);
}
