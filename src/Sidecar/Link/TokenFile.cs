using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Protocol;

namespace FleetSidecar.Link;

/// <summary>Reads the hub's token anew for every dial, so that a mended file works without a restart.</summary>
internal sealed class TokenFile(HubOptions options, Redactor redactor)
{
    private const int LargestFile = 4096;

    public string FilePath => CredentialPath.Of(options.TokenFile);

    /// <exception cref="SidecarException">The file cannot be read or holds no token.</exception>
    public Secret Read()
    {
        var text = OutsideFile.Read(FilePath, LargestFile, followLink: true) is { } bytes
            ? OutsideText.Decode(bytes).Trim()
            : throw new SidecarException($"cannot read the token file {FilePath}", "write the token there, readable for the service user");
        if (text.Length is 0 or > WireLimits.MaxToken || text.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)))
        {
            throw new SidecarException($"the token file {FilePath} does not hold one token", "write the output of 'fleet-hub token create' into it and nothing else");
        }

        redactor.Learn(text);
        return new Secret(text);
    }
}
