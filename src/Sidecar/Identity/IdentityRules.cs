using System.Security.Cryptography;
using System.Text;

namespace FleetSidecar.Identity;

/// <summary>Whether bytes are this agent's. Positive: what proves it ours decides; whose words stand in it besides never does. Pure.</summary>
internal static class IdentityRules
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Why bytes are not ours, or null where they are. Of a database this is the part that its bytes alone can tell.</summary>
    public static string? Complaint(SealedFile file, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return "it is empty";
        }

        if (file.Mark is { } mark && bytes.IndexOf(Encoding.UTF8.GetBytes(mark)) < 0)
        {
            return $"the mark '{mark}' is not in it";
        }

        return file.Rule switch
        {
            IdentityRule.Sealed when file.Sha256.Length == 0 => "it is not in the seal",
            IdentityRule.Sealed => Sha256(bytes) == file.Sha256 ? null : "it is not what was sealed",
            IdentityRule.Mark => IsText(bytes) ? null : "it is not UTF-8 text",
            IdentityRule.Sqlite => null,
            _ => $"there is no rule '{file.Rule}'",
        };
    }

    /// <summary>Of a sealed copy, whatever the rule: nobody but the operator's seal writes it, so it is exactly what was sealed or it is spoilt.</summary>
    public static string? CopyComplaint(SealedFile file, ReadOnlySpan<byte> bytes) =>
        file.Sha256.Length > 0 && Sha256(bytes) == file.Sha256 ? Complaint(file, bytes) : "the copy is not what was sealed";

    public static string Sha256(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static bool IsText(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _ = Strict.GetCharCount(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }
}
