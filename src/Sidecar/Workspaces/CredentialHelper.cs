namespace FleetSidecar.Workspaces;

/// <summary>Tells git where a host's credential is. Pure.</summary>
internal static class CredentialHelper
{
    /// <summary>What goes before git's verb. The token itself is nowhere in it: the helper reads its file when git asks.</summary>
    public static IEnumerable<string> Arguments(IReadOnlyList<GitCredential> credentials) =>
        credentials.Count == 0 ? [] :
        [
            "-c", "credential.helper=", // Whatever the service user has configured would be asked for every host.
            .. credentials.SelectMany(credential => new[] { "-c", $"credential.{credential.Url.TrimEnd('/')}.helper={Script(credential)}" }),
        ];

    /// <summary>Why an entry cannot be used, or null.</summary>
    public static string? Complaint(GitCredential? credential) => credential switch
    {
        null => "holds null",
        _ when !Uri.TryCreate(credential.Url, UriKind.Absolute, out var url) || url.PathAndQuery != "/" || url.UserInfo.Length > 0 || url.Fragment.Length > 0
            || !(url.Scheme == "https" || (url.Scheme == "http" && url.IsLoopback)) => "needs a url of scheme and host alone, https:// or, on this machine, http://",
        _ when !Path.IsPathFullyQualified(credential.TokenFile) || Odd(credential.TokenFile) => "needs an absolute tokenFile without quotes and line breaks",
        _ when credential.Username.Length == 0 || Odd(credential.Username) => "needs a username without quotes and line breaks",
        _ => null,
    };

    // Git hands helpers to a shell. Both texts are the operator's own and hold nothing that ends a quoted word, see Complaint.
    private static string Script(GitCredential credential) =>
        $"!f() {{ [ \"$1\" = get ] && printf 'username=%s\\npassword=' '{credential.Username}' && head -n 1 -- '{credential.TokenFile}'; }}; f";

    private static bool Odd(string text) => text.Any(letter => letter is '\'' or '\\' || char.IsControl(letter));
}
