using System.Text.RegularExpressions;

namespace FleetSidecar.Ground.Logs;

/// <summary>Texts that are secret whoever made them: credentials in addresses and headers, keys in the form of their provider. Pure.</summary>
/// <remarks>Each form matches in linear time, and each is tried only where a word of it is in the text at all.</remarks>
internal static partial class SecretForms
{
    public static string Mask(string text, string mask)
    {
        if (text.Contains('@', StringComparison.Ordinal))
        {
            text = text.Contains("://", StringComparison.Ordinal) ? UserInfo().Replace(text, "$1" + mask + "@") : text;
            text = UserAtHost().Replace(text, "$1" + mask + "@");
        }

        text = Header().Replace(text, "$1" + mask);
        text = Scheme().Replace(text, "$1$2$3" + mask);
        return Provider().Replace(text, mask);
    }

    // The last '@' of the authority ends the user information, so a password may hold one.
    [GeneratedRegex(@"(\b[a-z][a-z0-9+.-]{0,30}://)[^\s/'""]+@", RegexOptions.IgnoreCase)]
    private static partial Regex UserInfo();

    // user:password@host without a scheme, as git says it where it cannot look the host up.
    [GeneratedRegex(@"(\b[\w.+-]{1,64}:)[^\s/:'""]{1,200}@(?=[\w[])")]
    private static partial Regex UserAtHost();

    // A header's value after its scheme; without a scheme, one that is too long for a word of the language.
    [GeneratedRegex(@"(\b(?:proxy-)?authorization[""']?\s{0,4}[:=]\s{0,4}[""']?(?:(?:basic|bearer|token|negotiate|digest)\s{1,4}|(?=[^\s'""]{16}))|\b(?:x-api-key|private-token|x-auth-token)[""']?\s{0,4}[:=]\s{0,4}[""']?)[^\s'""]+", RegexOptions.IgnoreCase)]
    private static partial Regex Header();

    // The scheme's word alone is one of the language's; what follows "basic" and "token" must look like a credential.
    [GeneratedRegex(@"(\bbearer\s{1,4})[^\s'""]+|(\btoken\s{1,4})(?=[\w.-]*\d)[\w.-]{20,}|(\bbasic\s{1,4})(?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{8,}={0,2}", RegexOptions.IgnoreCase)]
    private static partial Regex Scheme();

    // Forms that their makers publish, so that a leaked one is found.
    [GeneratedRegex(@"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|fleet_[\w-]{43})")]
    private static partial Regex Provider();
}
