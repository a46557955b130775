using FleetSidecar.Ground.Files;

namespace FleetSidecar.Link;

/// <summary>The user's certificate stores of the framework, which it reads whenever it looks at a hub's certificate.</summary>
/// <remarks>An agent of the same user has the same home. A pipe there keeps a thread waiting for each connection, a file that this user may not read refuses every
/// certificate, over restarts. The framework passes over every name that does not end with <c>.pfx</c>.</remarks>
internal static class CertificateStores
{
    private const int LargestFile = 1024 * 1024, MostFiles = 1000;
    private const string Disallowed = "disallowed";
    private static readonly string[] Stores = ["my", "ca", "root", Disallowed, "trustedpeople"];

    /// <summary>Gives what is no readable file another name in its place, and opens a store that its owner may not read; nothing is removed.</summary>
    /// <param name="home">The user's directory; null for none.</param>
    /// <returns>What was done, or could not be, a line each.</returns>
    public static IReadOnlyList<string> Repair(string? home)
    {
        var notes = new List<string>();
        foreach (var store in string.IsNullOrEmpty(home) ? [] : Stores.Select(name => Path.Combine(home, ".dotnet/corefx/cryptography/x509stores", name)))
        {
            try
            {
                Repair(store, notes);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                notes.Add($"{store} cannot be looked at: {fault.Message}");
            }
        }

        return notes;
    }

    private static void Repair(string store, List<string> notes)
    {
        if (PathFacts.Of(store) is not { } facts || !Directory.Exists(store))
        {
            return;
        }

        if (facts is { Kind: PathKind.Directory } && (facts.Mode & PrivateDirectory.Mode) != PrivateDirectory.Mode && facts.Owner == UnixAccounts.Self)
        {
            File.SetUnixFileMode(store, facts.Mode | PrivateDirectory.Mode);
            notes.Add($"{store} was closed to its owner and is open again");
        }

        // The framework has no such store here, and refuses every certificate where any file is in it.
        if (Path.GetFileName(store) == Disallowed && Directory.EnumerateFileSystemEntries(store).Any())
        {
            notes.Add($"{store} holds something, which the framework takes for no store, and is {ClearPlace.Rename(store, facts)} now");
            return;
        }

        foreach (var file in Directory.EnumerateFileSystemEntries(store, "*.pfx").Take(MostFiles).ToList())
        {
            if (PathFacts.Of(file) is { } odd && odd.Kind != PathKind.Directory && !IsReadable(file))
            {
                notes.Add($"{file} is no file that can be read and is {ClearPlace.Rename(file, odd)} now");
            }
        }
    }

    // Not its content: the framework passes over a file that is no certificate, and another program may be writing one this moment.
    private static bool IsReadable(string file) => RealPath.Of(file) is { } real && OutsideFile.Read(real, LargestFile, followLink: false) is not null;
}
