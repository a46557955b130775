using System.Globalization;
using System.Text.Json;
using FleetSidecar.Configuration;
using FleetSidecar.Ground.Files;
using FleetSidecar.Protocol;

namespace FleetSidecar.SelfTest;

/// <summary>Credentials that say when they end have not ended. What they hold is never read further than that.</summary>
internal sealed class CredentialCheck(SidecarConfig config, TimeProvider time) : ICheck
{
    private const int LargestFile = 1024 * 1024;
    private const long Earliest = -62_135_596_800, LatestMilliseconds = 253_402_300_799_999; // The years 1 and 9999.
    private const long SecondsUpTo = 100_000_000_000; // The year 5138 in seconds, 1973 in milliseconds.
    private static readonly TimeSpan Soon = TimeSpan.FromHours(24);

    public string Name => "credential";

    public Task<IReadOnlyList<CheckResult>> RunAsync(CancellationToken token) =>
        Task.FromResult<IReadOnlyList<CheckResult>>([.. config.SelfTest.Credentials.Select(Look)]);

    private static bool IsFile(string path) =>
        RealPath.Of(path) is { } real && PathFacts.Of(real) is { Kind: PathKind.File };

    private CheckResult Look(CredentialOptions credential)
    {
        // A device can do something when it is opened; what a link leads to is looked at before.
        if (!IsFile(credential.File) || OutsideFile.Read(credential.File, LargestFile, followLink: true) is not { } bytes)
        {
            return new CheckResult(Name, CheckResult.Failed, $"{credential.File} cannot be read", "sign the agent in again, or correct selfTest.credentials");
        }

        if (Expiry(bytes, credential.ExpiresAt) is not { } ends)
        {
            return new CheckResult(Name, CheckResult.Warning, $"{credential.File} has no time at '{credential.ExpiresAt}'", "correct selfTest.credentials[].expiresAt");
        }

        var left = ends - time.GetUtcNow();
        return left <= TimeSpan.Zero ? new CheckResult(Name, CheckResult.Failed, $"{credential.File} ended {ends:u}", "sign the agent in again")
            : left < Soon ? new CheckResult(Name, CheckResult.Warning, $"{credential.File} ends {ends:u}, in {left.TotalHours:0.0} h", "sign the agent in again before that")
            : new CheckResult(Name, CheckResult.Ok, $"{credential.File} ends {ends:u}");
    }

    /// <summary>The time at a path of keys, or null where there is none.</summary>
    public static DateTimeOffset? Expiry(byte[] json, string path)
    {
        if (OutsideJson.Element(json) is not { } node)
        {
            return null;
        }

        foreach (var key in path.Split('.'))
        {
            if (node.ValueKind != JsonValueKind.Object || !node.TryGetProperty(key, out node))
            {
                return null;
            }
        }

        return node.ValueKind switch
        {
            JsonValueKind.Number when node.TryGetInt64(out var number) => At(number),
            JsonValueKind.String when DateTimeOffset.TryParse(node.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date) => date,
            _ => null,
        };
    }

    private static DateTimeOffset? At(long number) => number switch
    {
        < Earliest => null,
        < SecondsUpTo => DateTimeOffset.FromUnixTimeSeconds(number),
        <= LatestMilliseconds => DateTimeOffset.FromUnixTimeMilliseconds(number),
        _ => null,
    };
}
