using FleetSidecar.Ground;
using FleetSidecar.Ground.Logs;
using FleetSidecar.Protocol;

namespace FleetSidecar.Link;

/// <summary>Reads the hub's token anew for every dial, so that a mended file works without a restart.</summary>
internal sealed class TokenFile(HubOptions options, Redactor redactor)
{
    private string FilePath => Path.IsPathFullyQualified(options.TokenFile)
        ? options.TokenFile
        : Path.Combine(Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY") ?? Directory.GetCurrentDirectory(), options.TokenFile);

    /// <exception cref="SidecarException">The file cannot be read or holds no token.</exception>
    public Secret Read()
    {
        string text;
        try
        {
            text = File.ReadAllText(FilePath).Trim();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new SidecarException($"cannot read the token file {FilePath}: {fault.Message}", "write the token there, readable for the service user alone", fault);
        }

        if (text.Length is 0 or > WireLimits.MaxToken || text.Any(letter => char.IsControl(letter) || char.IsWhiteSpace(letter)))
        {
            throw new SidecarException($"the token file {FilePath} does not hold one token", "write the output of 'fleet-hub token create' into it and nothing else");
        }

        redactor.Learn(text);
        return new Secret(text);
    }
}
