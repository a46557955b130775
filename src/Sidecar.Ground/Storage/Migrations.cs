using System.Reflection;

namespace FleetSidecar.Ground.Storage;

/// <summary>The numbered SQL files that a program carries (<c>0001_name.sql</c>), in order. Forward only, never edited after release.</summary>
public sealed record Migrations(IReadOnlyList<string> Scripts)
{
    public int Newest => Scripts.Count;

    public static Migrations From(Assembly assembly)
    {
        var names = assembly.GetManifestResourceNames()
            .Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        return new Migrations([.. names.Select(name => Read(assembly, name))]);
    }

    private static string Read(Assembly assembly, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
