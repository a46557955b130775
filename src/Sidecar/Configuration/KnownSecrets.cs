using System.Text.Json;
using System.Text.RegularExpressions;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Link;
using FleetSidecar.Protocol;

namespace FleetSidecar.Configuration;

/// <summary>Tells the redactor every secret that this configuration names: an agent that saw one must not spread it through our log, our reports or a pull request.</summary>
/// <remarks>Files are read anew each time, because tokens are renewed. What cannot be read is not ours to tell, and is reported where it is used.</remarks>
internal sealed partial class KnownSecrets(SidecarConfig config, Redactor redactor)
{
    private const int LargestToken = 4096, LargestCredential = 1024 * 1024, ShortestInCredential = 20, MostInCredential = 50;

    public void Learn()
    {
        foreach (var credential in config.SelfTest.Credentials.Where(one => Path.IsPathFullyQualified(one.File)))
        {
            LearnCredential(credential.File);
        }

        foreach (var profile in config.Wake.Profiles)
        {
            LearnVariables(profile.Environment, profile.PassEnvironment);
        }

        foreach (var member in config.Supervise.Members)
        {
            LearnVariables(member.Environment, member.PassEnvironment);
        }

        // Last, so that nothing that an agent wrote into its sign-in comes after them and takes their places.
        foreach (var file in TokenFiles().Where(file => Path.IsPathFullyQualified(file)))
        {
            LearnToken(file);
        }
    }

    private IEnumerable<string> TokenFiles()
    {
        List<string?> files =
        [
            CredentialPath.Of(config.Hub.TokenFile), config.Hub.ProxyCredentialsFile is { } proxy ? CredentialPath.Of(proxy) : null, config.Workspace.Forge?.TokenFile,
            .. config.Workspace.Credentials.Select(credential => credential.TokenFile),
            .. config.Alerts.Hooks.Select(hook => hook.TokenFile),
            .. config.Wake.Profiles.Select(profile => profile.OpenClaw?.TokenFile),
        ];
        return files.OfType<string>().Where(file => file.Length > 0);
    }

    // A file for git may have further lines; the first is the token. Of USER:PASSWORD the second part is the secret.
    private void LearnToken(string file)
    {
        if (OutsideFile.Read(file, LargestToken, followLink: true) is not { } bytes)
        {
            return;
        }

        var text = OutsideText.Decode(bytes).Trim();
        redactor.Learn(text.Split('\n')[0].Trim());
        if (text.IndexOf(':', StringComparison.Ordinal) is var colon and > 0)
        {
            redactor.Learn(text[(colon + 1)..].Split('\n')[0].Trim());
        }
    }

    // An agent program's own sign-in: its words are keys and short names, its secrets are long and have no blanks.
    private void LearnCredential(string file)
    {
        if (OutsideFile.Read(file, LargestCredential, followLink: true) is { } bytes && OutsideJson.Element(bytes) is { } root)
        {
            foreach (var text in Texts(root).Where(IsLikeASecret).Take(MostInCredential))
            {
                redactor.Learn(text);
            }
        }
    }

    // Not a name of a plan or a model, not a path or an address, and nothing without end.
    private static bool IsLikeASecret(string text) => text.Length is >= ShortestInCredential and <= LargestToken && text.All(letter => letter is > ' ' and < '\u007f' and not '/')
        && text.Any(char.IsAsciiDigit) && text.Any(char.IsAsciiLetter) && text.Count(letter => letter is '_' or '-') < text.Length / 6;

    // Depth is bounded by the reader of JSON.
    private static IEnumerable<string> Texts(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => [element.GetString()!],
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Texts),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(property => Texts(property.Value)),
        _ => [],
    };

    private void LearnVariables(Dictionary<string, string> given, List<string> passed)
    {
        foreach (var (_, value) in given.Where(pair => IsSecret(pair.Key)))
        {
            redactor.Learn(value);
        }

        foreach (var value in passed.Where(IsSecret).Select(Environment.GetEnvironmentVariable).OfType<string>())
        {
            redactor.Learn(value);
        }
    }

    private static bool IsSecret(string name) => SecretName().IsMatch(name);

    // Whole parts of a name: neither GIT_AUTHOR_NAME nor SSH_AUTH_SOCK nor KEYBOARD.
    [GeneratedRegex("(^|_)(API_?KEY|KEY|TOKENS?|SECRET|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH)(_?[0-9]+)?$", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();
}
