using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace FleetSidecar.Ground.Logs;

/// <summary>Takes secrets out of any text before it leaves the process: values it was told, and forms that are always secret.</summary>
public sealed partial class Redactor
{
    private const string Mask = "***";
    private readonly ConcurrentDictionary<string, bool> _secrets = new(StringComparer.Ordinal);

    /// <summary>Values shorter than eight characters are not secrets worth having and would blank ordinary words.</summary>
    public void Learn(string secret)
    {
        if (secret.Length >= 8)
        {
            _secrets[secret] = true;
        }
    }

    public string Clean(string text)
    {
        foreach (var (secret, _) in _secrets)
        {
            text = text.Replace(secret, Mask, StringComparison.Ordinal);
        }

        text = text.Contains('@', StringComparison.Ordinal) ? UserAtHost().Replace(text, "$1" + Mask + "@") : text;
        text = text.Contains("://", StringComparison.Ordinal) ? UserInfo().Replace(text, "$1" + Mask + "@") : text;
        return text.Contains("bearer", StringComparison.OrdinalIgnoreCase) ? Bearer().Replace(text, "$1" + Mask) : text;
    }

    [GeneratedRegex(@"(\b[a-z][a-z0-9+.-]*://)[^\s/@'""]+@", RegexOptions.IgnoreCase)]
    private static partial Regex UserInfo();

    // user:password@host without a scheme, as git says it where it cannot look the host up.
    [GeneratedRegex(@"(\b[\w.+-]{1,64}:)[^\s/:@'""]{1,200}@(?=[\w[])")]
    private static partial Regex UserAtHost();

    [GeneratedRegex(@"(\bbearer\s+)[^\s'""]+", RegexOptions.IgnoreCase)]
    private static partial Regex Bearer();
}
