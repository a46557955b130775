using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using FleetSidecar.Ground.Storage;
using FleetSidecar.Protocol;

namespace FleetHub.Tokens;

/// <summary>Who a token belongs to.</summary>
internal sealed record TokenOwner(string Name, string Role);

/// <summary>Tokens: 256 random bits, shown once, kept as a SHA-256 hash, compared in constant time.</summary>
/// <remarks>A plain hash is enough here: a slow one defends guessable secrets, and these cannot be guessed.</remarks>
internal sealed class TokenStore(Store store, TimeProvider time)
{
    public const string Agent = "agent", Operator = "operator", Enrol = "enrol";
    private const string Prefix = "fleet_";

    /// <summary>Makes a token. For an agent the older ones of the same name stay valid, so that a machine can be moved to a new one without a gap.</summary>
    public async Task<string> CreateAsync(string name, string role, TimeSpan? life = null)
    {
        var token = NewToken();
        await store.CommitAsync(db => Insert(db, token, name, role, life));
        return token;
    }

    /// <summary>The first token of an agent, or null where its id has one already. One commit looks and writes, so of two machines that ask for one id at once only one gets it.</summary>
    public async Task<string?> EnrolAsync(string agent)
    {
        var token = NewToken();
        return await store.CommitAsync(db =>
            db.Number("SELECT COUNT(*) FROM tokens WHERE name = ?1 AND role = ?2", agent, Agent) == 0 && Insert(db, token, agent, Agent, life: null)) ? token : null;
    }

    /// <summary>The owner of a token, or null where it is not valid.</summary>
    public TokenOwner? Verify(string? token)
    {
        if (token is null || token.Length is 0 or > WireLimits.MaxToken)
        {
            return null;
        }

        var hash = Hash(token);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();

        // Looked up by the hash, whose timing says nothing about the token; the comparison itself is constant-time all the same.
        return store.Read(db => db.Query("SELECT hash, name, role FROM tokens WHERE hash = ?1 AND (expires_at_unix_ms IS NULL OR expires_at_unix_ms >= ?2)",
                row => (Hash: row.Text(0), Owner: new TokenOwner(row.Text(1), row.Text(2))), hash, now))
            .Where(found => CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(found.Hash), Encoding.ASCII.GetBytes(hash)))
            .Select(found => found.Owner)
            .FirstOrDefault();
    }

    private bool Insert(Db db, string token, string name, string role, TimeSpan? life)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        db.Execute("DELETE FROM tokens WHERE expires_at_unix_ms < ?1", now);
        return db.Execute("INSERT INTO tokens (name, role, hash, created_at_unix_ms, expires_at_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            name, role, Hash(token), now, life is { } span ? now + (long)span.TotalMilliseconds : null) == 1;
    }

    private static string NewToken() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    private static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
