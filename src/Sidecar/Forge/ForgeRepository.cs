namespace FleetSidecar.Forge;

/// <summary>Owner and name of a repository at a forge. Pure.</summary>
internal sealed record ForgeRepository(string Owner, string Name)
{
    private const int LongestPart = 100;

    /// <summary>From <c>OWNER/NAME</c>; null where it is something else.</summary>
    public static ForgeRepository? Parse(string text) =>
        text.Split('/') is [var owner, var name] && IsPart(owner) && IsPart(name) ? new ForgeRepository(owner, name) : null;

    /// <summary>From the address of a repository at the forge that has this interface: https, ssh, or <c>user@host:path</c>. Null where it is not there, or not of that form.</summary>
    public static ForgeRepository? From(string address, Uri api)
    {
        var (host, path) = address.Contains("://", StringComparison.Ordinal)
            ? Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" or "ssh" ? (uri.Host, Uri.UnescapeDataString(uri.AbsolutePath)) : ("", "")
            : address.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon && !address.StartsWith('/')
                ? (address[(address.LastIndexOf('@', colon) + 1)..colon], address[(colon + 1)..]) : ("", "");
        path = path.Trim('/');
        return SameForge(host, api) ? Parse(path.EndsWith(".git", StringComparison.OrdinalIgnoreCase) ? path[..^4] : path) : null;
    }

    // github.com is spoken to at api.github.com; everybody else serves both from one name. ssh.github.com is its door at port 443.
    private static bool SameForge(string host, Uri api) => host.Length > 0
        && (host.Equals(api.Host, StringComparison.OrdinalIgnoreCase) || $"api.{host}".Equals(api.Host, StringComparison.OrdinalIgnoreCase)
            || (host.StartsWith("ssh.", StringComparison.OrdinalIgnoreCase) && $"api.{host[4..]}".Equals(api.Host, StringComparison.OrdinalIgnoreCase)));

    private static bool IsPart(string part) =>
        part.Length is > 0 and <= LongestPart && part is not ("." or "..") && part.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-');
}
