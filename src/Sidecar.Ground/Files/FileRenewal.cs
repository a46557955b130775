namespace FleetSidecar.Ground.Files;

/// <summary>Gives a small file a new inode with the same content: who opened it before can change the old one alone.</summary>
public static class FileRenewal
{
    /// <summary>Renews a file in a directory that is ours by now, so that nobody changes it meanwhile. Links on the way are not followed.</summary>
    /// <param name="top">The directory that is ours.</param>
    /// <param name="path">The file below it, as names with <c>/</c>.</param>
    /// <param name="largest">Of a longer file one byte more than this is kept, so that it is still too long.</param>
    /// <returns>False where it is still the file that somebody may have open. What is no file, or lies behind what is no directory, cannot be renewed and is not read as one either.</returns>
    public static bool Renew(string top, string path, int largest)
    {
        var directory = top;
        foreach (var name in path.Split('/')[..^1])
        {
            directory = Path.Combine(directory, name);
            if (PathFacts.Of(directory) is not { Kind: PathKind.Directory })
            {
                return true;
            }
        }

        var file = Path.Combine(top, path);
        if (PathFacts.Of(file) is not { Kind: PathKind.File })
        {
            return true;
        }

        var fresh = $"{file}.{Guid.NewGuid():N}";
        try
        {
            var bytes = new byte[largest + 1];
            int length;
            using (var old = OutsideFile.Stream(file))
            {
                length = old?.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) ?? -1;
            }

            if (length < 0)
            {
                return false;
            }

            using (var stream = new FileStream(fresh, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(bytes, 0, length);
            }

            FileRename.Over(fresh, file);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            try
            {
                File.Delete(fresh);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
            }

            return false;
        }
    }
}
