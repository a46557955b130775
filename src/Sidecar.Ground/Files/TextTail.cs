using System.Text;
using FleetSidecar.Protocol;

namespace FleetSidecar.Ground.Files;

/// <summary>The last part of a file that may be large, still growing, or not there. A link is not followed: whoever wrote there may not read what we may.</summary>
public static class TextTail
{
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
            return Printable.Tail(Encoding.UTF8.GetString(bytes, 0, read), characters);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
