using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Files;

/// <summary>The last part of a file that may be large, still growing, or not there. A link is not followed: whoever wrote there may not read what we may.</summary>
public static class TextTail
{
    // The bytes that continue a character: the part may begin in the middle of one.
    private static readonly byte[] Continuations = [.. Enumerable.Range(0x80, 0x40).Select(value => (byte)value)];

    public static string Read(string path, int characters)
    {
        try
        {
            if (OutsideFile.Stream(path) is not { } opened)
            {
                return "";
            }

            using var file = opened;
            var length = Math.Min(file.Length, (long)characters * 4);
            file.Seek(-length, SeekOrigin.End);
            var bytes = new byte[length];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return Printable.Tail(OutsideText.Decode(bytes.AsSpan(0, read).TrimStart(Continuations)), characters);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
