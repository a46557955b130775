using System.Text;

namespace FleetSidecar.Ground.Files;

/// <summary>The lines of a file that somebody else wrote: long ones are cut, and a file without end ends.</summary>
public static class TextLines
{
    private const int LongestLine = 1024 * 1024;
    private const long MostBytes = 64 * 1024 * 1024;

    /// <summary>Lazily, from the beginning each time; none where the file cannot be read.</summary>
    public static IEnumerable<string> Read(string path)
    {
        if (OutsideFile.Stream(path) is not { } file)
        {
            yield break;
        }

        using (file)
        {
            var line = new StringBuilder();
            var buffer = new char[16 * 1024];
            using var reader = new StreamReader(file, Encoding.UTF8);
            int count;
            while (file.Position <= MostBytes && (count = reader.Read(buffer)) > 0)
            {
                for (var index = 0; index < count; index++)
                {
                    if (buffer[index] == '\n')
                    {
                        yield return line.ToString();
                        line.Clear();
                    }
                    else if (line.Length < LongestLine)
                    {
                        line.Append(buffer[index]);
                    }
                }
            }

            if (line.Length > 0)
            {
                yield return line.ToString();
            }
        }
    }
}
