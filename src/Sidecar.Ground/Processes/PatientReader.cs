namespace FleetSidecar.Ground.Processes;

/// <summary>Reads files of <c>/proc</c> that lie in a process's own memory, on a thread of its own.</summary>
/// <remarks>
/// Such a read may never return: the process hangs in its file system and holds the lock on its memory, or it has mapped a
/// file over it that its file system never delivers. The stop that would end the process would hang in the same read.
/// </remarks>
internal static class PatientReader
{
    // A healthy read takes microseconds. On a machine that swaps, a thread may wait for seconds, and a start that does not see its
    // agent would wake a second one: the wait is long, and paid once for each process.
    // Each further silent process gets a shorter wait, so that ten of them together take half a minute.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15), LeastPatience = TimeSpan.FromMilliseconds(250);

    private static readonly Lock Turn = new();
    private static readonly Dictionary<int, Reader> Silent = [];
    private static Reader? _reader;

    /// <summary>The bytes; empty where the process has ended, belongs to another user, or does not answer.</summary>
    public static byte[] Read(int pid, string path)
    {
        lock (Turn)
        {
            // Looked at again as soon as the read that hung has come back: the number may be another process's by then.
            foreach (var (number, silent) in Silent.Where(one => one.Value.IsDone).ToList())
            {
                Silent.Remove(number);
                silent.Dispose();
            }

            if (Silent.ContainsKey(pid))
            {
                return [];
            }

            var reader = _reader ??= new Reader();
            var shortened = Patience / ((Silent.Count + 1) * (Silent.Count + 1));
            if (reader.TryRead(path, shortened > LeastPatience ? shortened : LeastPatience) is { } bytes)
            {
                return bytes;
            }

            Silent[pid] = reader;
            _reader = null;
            return [];
        }
    }

    private sealed class Reader : IDisposable
    {
        private const int StackBytes = 256 * 1024;

        private readonly SemaphoreSlim _asked = new(0), _answered = new(0);
        private volatile string? _path;
        private byte[] _bytes = [];

        public Reader() => new Thread(Serve, StackBytes) { IsBackground = true, Name = "process-reader" }.Start();

        /// <summary>Whether the last read has come back.</summary>
        public bool IsDone => _answered.CurrentCount > 0;

        public byte[]? TryRead(string path, TimeSpan patience)
        {
            _path = path;
            _asked.Release();
            return _answered.Wait(patience) ? _bytes : null;
        }

        /// <summary>Ends the thread; only after the last read has come back.</summary>
        public void Dispose()
        {
            _path = null;
            _asked.Release();
        }

        private void Serve()
        {
            while (true)
            {
                _asked.Wait();
                if (_path is not { } path)
                {
                    return;
                }

                try
                {
                    _bytes = File.ReadAllBytes(path);
                }
                catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
                {
                    _bytes = []; // The process has ended, or belongs to another user.
                }

                _answered.Release();
            }
        }
    }
}
