using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FleetSidecar.Testing;

/// <summary>TLS in front of a plain port of this machine, with a certificate that is trusted where <c>SSL_CERT_FILE</c>
/// names <see cref="CertificateFile"/>.</summary>
public sealed class TlsFront : TcpServer
{
    private readonly X509Certificate2 _certificate;
    private readonly int _target;

    /// <param name="directory">Where the certificate is written.</param>
    /// <param name="name">The host's name in the certificate.</param>
    /// <param name="target">The plain port.</param>
    public TlsFront(TempDir directory, string name, int target)
    {
        _target = target;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        CertificateFile = directory.Write("ca.pem", made.ExportCertificatePem());
        _certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        Start();
    }

    public string CertificateFile { get; }

    protected override void OnDispose() => _certificate.Dispose();

    protected override async Task ServeAsync(NetworkStream client)
    {
        using var server = new TcpClient();
        await using var secure = new SslStream(client);
        await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, Stopping);
        await server.ConnectAsync(IPAddress.Loopback, _target, Stopping);
        var plain = server.GetStream();
        await Task.WhenAny(secure.CopyToAsync(plain, Stopping), plain.CopyToAsync(secure, Stopping));
    }
}
