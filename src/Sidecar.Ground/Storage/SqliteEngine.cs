using System.Reflection;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace FleetSidecar.Ground.Storage;

/// <summary>Chooses the SQLite library: the system's, which gets security fixes, and the bundled one where there is none.</summary>
internal static class SqliteEngine
{
    private static readonly Lock Once = new();
    private static bool _ready;

    public static void Use()
    {
        lock (Once)
        {
            if (_ready)
            {
                return;
            }

            NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, Resolve);
            raw.SetProvider(new SQLite3Provider_e_sqlite3());
            _ready = true;
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == "e_sqlite3" && NativeLibrary.TryLoad("libsqlite3.so.0", out var system) ? system : nint.Zero;
}
