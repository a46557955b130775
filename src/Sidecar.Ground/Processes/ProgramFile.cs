using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Processes;

/// <summary>Finds the file that a command's first word means, and refuses one that another user may write.</summary>
/// <remarks>
/// Everything that this program starts passes here. A bare name is looked up in the given PATH alone; the framework's own
/// look begins beside this program and in the current directory, where anybody's file of that name would be run.
/// </remarks>
public static class ProgramFile
{
    private const int NoEntry = 2, NotPermitted = 13; // ENOENT, EACCES

    /// <summary>The absolute path to start.</summary>
    /// <param name="program">A path, or a bare name.</param>
    /// <param name="directory">Where it will run: what a relative path begins at.</param>
    /// <param name="searchPath">Directories with colons between them, for a bare name.</param>
    /// <exception cref="SpawnException">There is none, or another user than root and this one may write it.</exception>
    public static string Require(string program, string directory, string? searchPath)
    {
        var file = Locate(program, directory, searchPath)
            ?? throw new SpawnException(StartFaults.Explain(NoEntry, program, directory, [], searchPath), NoEntry);
        return Doubt(file, searchPath) is not { } doubt ? file
            : throw new SpawnException(Untrusted(program, doubt), NotPermitted);
    }

    /// <summary>Why a program would be refused, or null.</summary>
    public static StartFault? Refusal(string program, string directory, string? searchPath) =>
        Locate(program, directory, searchPath) is { } file && Doubt(file, searchPath) is { } doubt ? Untrusted(program, doubt) : null;

    /// <summary>The file that a word means, or null where no directory of the PATH has it.</summary>
    internal static string? Locate(string program, string directory, string? searchPath)
    {
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return Path.GetFullPath(program, directory);
        }

        var found = (searchPath ?? "").Split(':').Where(Path.IsPathFullyQualified).Select(place => Path.Combine(place, program)).Where(File.Exists).ToList();
        return found.Find(FileAccessCheck.MayExecute) ?? found.FirstOrDefault();
    }

    private static string? Doubt(string file, string? searchPath)
    {
        if (TrustedPath.Doubt(file) is { } doubt)
        {
            return doubt;
        }

        // The kernel runs what the first line names.
        var (interpreter, argument) = StartFaults.FirstLine(file);
        return interpreter is null ? null
            : TrustedPath.Doubt(interpreter)
            ?? (Path.GetFileName(interpreter) == "env" && Named(argument) is { } name && Locate(name, "/", searchPath) is { } named ? TrustedPath.Doubt(named) : null);
    }

    // env(1): options and variables come before the program.
    private static string? Named(string argument) =>
        argument.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(word => !word.StartsWith('-') && !word.Contains('=', StringComparison.Ordinal));

    private static StartFault Untrusted(string program, string doubt) => new(
        StartProblem.ProgramUntrusted,
        $"{program} is not run: {doubt}, and whoever may write there would decide what runs as {UnixAccounts.NameOf(UnixAccounts.Self)}",
        "give the program and every directory above it to root, writable for nobody else (chown root, chmod go-w), or install it where only root writes");
}
