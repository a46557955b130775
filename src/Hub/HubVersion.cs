using System.Reflection;

namespace FleetHub;

/// <summary>The version of this program, as built.</summary>
internal static class HubVersion
{
    public static string Text { get; } = typeof(HubVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
}
