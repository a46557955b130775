using System.Text;
using FleetSidecar.Ground;
using FleetSidecar.Ground.Files;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Protocol;

namespace FleetSidecar.Link;

/// <summary>Reads the hub's token anew for every dial, so that a mended file works without a restart.</summary>
internal sealed class TokenFile(HubOptions options, Redactor redactor)
{
    private const int LargestFile = 4096;

    /// <summary>Where it is. A credential of the same name that the service manager handed over comes first: the file itself may be root's alone.</summary>
    public string FilePath => Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY") is { Length: > 0 } handed
        && Path.Combine(handed, Path.GetFileName(options.TokenFile)) is var credential && new FileInfo(credential) is { Exists: true, Length: > 0 }
            ? credential
            : Path.Combine(Directory.GetCurrentDirectory(), options.TokenFile);

    /// <exception cref="SidecarException">The file cannot be read or holds no token.</exception>
    public Secret Read()
    {
        var text = OutsideFile.Read(FilePath, LargestFile, followLink: true) is { } bytes
            ? Encoding.UTF8.GetString(bytes).Trim().Trim('\uFEFF')
            : throw new SidecarException($"cannot read the token file {FilePath}", "write the token there, readable for the service user");
        if (text.Length is 0 or > WireLimits.MaxToken || text.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)))
        {
            throw new SidecarException($"the token file {FilePath} does not hold one token", "write the output of 'fleet-hub token create' into it and nothing else");
        }

        redactor.Learn(text);
        return new Secret(text);
    }
}
