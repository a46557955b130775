namespace FleetSidecar.Link;

/// <summary>Where a file with a secret is.</summary>
internal static class CredentialPath
{
    /// <summary>A credential of the same name that the service manager handed over comes first: the file itself may be
    /// root's alone. The unit hands over a dash where there is none yet.</summary>
    public static string Of(string file) => Environment.GetEnvironmentVariable("CREDENTIALS_DIRECTORY") is { Length: > 0 } handed
        && Path.Combine(handed, Path.GetFileName(file)) is var credential && new FileInfo(credential) is { Exists: true, Length: > 1 }
            ? credential
            : Path.Combine(Directory.GetCurrentDirectory(), file);
}
