using System.Net;
using System.Text;
using FleetSidecar.Ground.Processes;
using FleetSidecar.Workspaces;

namespace FleetSidecar.Tests;

/// <summary>A credential goes to its host alone. With real git and a server that writes down what it is sent.</summary>
public sealed class CredentialHelperTests : IDisposable
{
    private readonly TempDir _directory = new();
    private readonly HttpListener _server = new();
    private readonly int _port = FreePort.Take();
    private readonly List<string> _seen = [];

    public CredentialHelperTests()
    {
        _server.Prefixes.Add($"http://127.0.0.1:{_port}/");
        _server.Prefixes.Add($"http://localhost:{_port}/");
        _server.Start();
        _ = Task.Run(async () =>
        {
            while (_server.IsListening)
            {
                var context = await _server.GetContextAsync();
                var authorization = context.Request.Headers["Authorization"];
                lock (_seen)
                {
                    _seen.Add($"{context.Request.Url!.Host} {(authorization is null ? "nobody" : Encoding.UTF8.GetString(Convert.FromBase64String(authorization["Basic ".Length..])))}");
                }

                context.Response.StatusCode = authorization is null ? 401 : 404;
                context.Response.Headers["WWW-Authenticate"] = "Basic realm=\"x\"";
                context.Response.Close();
            }
        });
    }

    public void Dispose()
    {
        _server.Stop();
        _directory.Dispose();
    }

    [Fact]
    public async Task Only_the_host_that_it_belongs_to_gets_it_and_no_argument_holds_it()
    {
        var options = new WorkspaceOptions { Credentials = [new GitCredential { Url = $"http://127.0.0.1:{_port}", TokenFile = _directory.Write("token with space", "s3cret\nmore\n") }] };
        var git = new Git(new ToolRunner(TimeProvider.System), options);

        var own = await git.TryAsync(_directory.Path, CancellationToken.None, "ls-remote", "--", $"http://127.0.0.1:{_port}/a.git");
        var other = await git.TryAsync(_directory.Path, CancellationToken.None, "ls-remote", "--", $"http://localhost:{_port}/a.git");

        Assert.Equal((GitFaults.NotFound, GitFaults.AuthFailed), (GitFaults.Classify(own), GitFaults.Classify(other)));
        Assert.Contains("127.0.0.1 x-access-token:s3cret", _seen);
        Assert.DoesNotContain(_seen, line => line.StartsWith("localhost", StringComparison.Ordinal) && line.Contains("s3cret", StringComparison.Ordinal));
        Assert.DoesNotContain(CredentialHelper.Arguments(options.Credentials), argument => argument.Contains("s3cret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("https://git.example", "/etc/t", "x", true)]
    [InlineData("https://git.example:8443/", "/etc/t", "x", true)]
    [InlineData("http://git.example", "/etc/t", "x", false)]
    [InlineData("https://git.example/team", "/etc/t", "x", false)]
    [InlineData("https://me@git.example", "/etc/t", "x", false)]
    [InlineData("git.example", "/etc/t", "x", false)]
    [InlineData("https://git.example", "t", "x", false)]
    [InlineData("https://git.example", "/etc/t'; id; '", "x", false)]
    [InlineData("https://git.example", "/etc/t", "x'; id; '", false)]
    [InlineData("https://git.example", "/etc/t", "", false)]
    public void An_entry_that_could_mean_something_else_is_refused(string url, string file, string user, bool fine) =>
        Assert.Equal(fine, CredentialHelper.Complaint(new GitCredential { Url = url, TokenFile = file, Username = user }) is null);
}
