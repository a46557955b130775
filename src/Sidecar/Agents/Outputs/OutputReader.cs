using System.Text;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Agents.Outputs;

/// <summary>Copies what an agent printed, and what it prints meanwhile, to a stream; says in one line where a hole in its file lies.</summary>
/// <remarks>Keeps the file open: when the shorter file takes its place at the end, the one that is read is still whole.</remarks>
internal sealed class OutputReader : IDisposable
{
    private const int BufferBytes = 64 * 1024;
    private FileStream? _file;
    private string _path = "";
    private long _at;

    /// <summary>Copies all that is new since the last call; from the beginning where it is another file now.</summary>
    public async Task CopyAsync(string path, Stream target, CancellationToken token)
    {
        if (path != _path)
        {
            Dispose();
            (_file, _path, _at) = (null, path, 0);
        }

        // The agent owns that place: a link of its own would have us print what only we may read.
        _file ??= OutsideFile.Stream(path);
        if (_file is null)
        {
            return;
        }

        var buffer = new byte[BufferBytes];
        for (var count = -1; count != 0;)
        {
            var hole = SparseFile.NextHole(_file.SafeFileHandle, _at);
            if (hole == _at && SparseFile.NextData(_file.SafeFileHandle, _at) is var data && data > _at)
            {
                await target.WriteAsync(Encoding.UTF8.GetBytes($"\n{OutputLimit.Marker(data - _at)}"), token);
                _at = data;
                continue;
            }

            var room = hole > _at ? (int)Math.Min(buffer.Length, hole - _at) : buffer.Length;
            count = await RandomAccess.ReadAsync(_file.SafeFileHandle, buffer.AsMemory(0, room), _at, token);
            await target.WriteAsync(buffer.AsMemory(0, count), token);
            _at += count;
        }

        await target.FlushAsync(token);
    }

    public void Dispose() => _file?.Dispose();
}
