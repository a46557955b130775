namespace FleetSidecar.Ground.Files;

/// <summary>Writes a file at a place that others may write too: a link, a directory or a pipe that stands there is put away first, because to open it would wait or lead elsewhere.</summary>
/// <remarks>For what is made again after a crash; see <see cref="OwnedFile"/> for what must survive one.</remarks>
public static class NewFile
{
    // 0644, in a directory that is closed to others: in a unit the agent reads it as another user.
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>What is there goes; a directory gets another name beside it, see <see cref="ClearPlace"/>.</summary>
    /// <exception cref="IOException">The disk cannot be written.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        if (PathFacts.Of(path) is { Kind: PathKind.Directory } directory)
        {
            ClearPlace.Rename(path, directory);
        }

        File.Delete(path);
        using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Mode });
        file.Write(bytes);
    }
}
