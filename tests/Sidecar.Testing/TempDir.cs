namespace FleetSidecar.Testing;

/// <summary>A directory for one test, short enough for a socket's path, gone with the test.</summary>
public sealed class TempDir : IDisposable
{
    public TempDir() => Path = Directory.CreateTempSubdirectory("ft-").FullName;

    public string Path { get; }

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public string Write(string name, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public string WriteScript(string name, string body)
    {
        var path = Write(name, "#!/bin/bash\n" + body.ReplaceLineEndings("\n") + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (ArgumentException)
        {
            TestProgram.RunAsync("/bin/rm", ["-rf", "--", Path]).GetAwaiter().GetResult(); // Paths that the framework cannot name.
        }
        catch (IOException)
        {
            // An agent that was left working on purpose may still write here.
        }
    }
}
