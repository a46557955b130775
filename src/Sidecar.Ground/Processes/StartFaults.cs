using System.Runtime.InteropServices;
using System.Text;
using FleetSidecar.Ground.Files;

namespace FleetSidecar.Ground.Processes;

/// <summary>Names the one thing that keeps a program from being started.</summary>
/// <remarks>
/// The kernel has the same number for a missing directory, a missing program and a missing interpreter (ENOENT), and
/// for all of them when they are closed (EACCES); see execve(2). This looks at each in the order in which the kernel
/// comes to it. May be wrong where a file changes between the start and the look.
/// </remarks>
public static class StartFaults
{
    private const int MostFirstLine = 256; // BINPRM_BUF_SIZE: the kernel itself reads no more.
    private const int NotExecutable = 8; // ENOEXEC

    /// <summary>Explains a start that failed.</summary>
    /// <param name="error">The system's error number.</param>
    /// <param name="program">
    /// The program as it was given; a bare name is looked up in <paramref name="searchPath"/>.
    /// </param>
    /// <param name="directory">Where it was to run.</param>
    /// <param name="files">Files that were to be opened for it.</param>
    /// <param name="searchPath">Directories with colons between them.</param>
    public static StartFault Explain(
        int error,
        string program,
        string directory,
        IReadOnlyList<string> files,
        string? searchPath
    )
    {
        var found = OfDirectory(program, directory) ?? OfFiles(program, files) ?? OfProgram(program, searchPath);
        if (found is null && error == NotExecutable)
        {
            found = NotAProgram(program, program);
        }

        return found
            ?? new(
                StartProblem.Other,
                $"cannot start {program}: {Marshal.GetPInvokeErrorMessage(error)}",
                "check that the program can be started by the service user"
            );
    }

    /// <summary>What would keep a program from being started; null where nothing is seen.</summary>
    public static StartFault? Find(string program, string directory, string? searchPath = null) =>
        OfDirectory(program, directory)
        ?? OfProgram(program, searchPath)
        ?? ProgramFile.Refusal(program, directory, searchPath);

    private static StartFault? OfDirectory(string program, string directory)
    {
        if (RealPath.Of(directory) is null)
        {
            return PathFacts.Fault(directory) is { } why
                ? ClosedDirectory(program, directory, why)
                : new(
                    StartProblem.DirectoryMissing,
                    $"cannot start {program}: its directory {directory} does not exist",
                    $"make the directory, or name another one; {program} itself is not the cause"
                );
        }

        if (!Directory.Exists(directory))
        {
            return ClosedDirectory(program, directory, "it is no directory");
        }

        return FileAccessCheck.MayEnter(directory)
            ? null
            : ClosedDirectory(program, directory, "this user may not enter it");
    }

    private static StartFault ClosedDirectory(string program, string directory, string why) =>
        new(
            StartProblem.DirectoryClosed,
            $"cannot start {program}: its directory {directory} cannot be used: {why}",
            $"let the service user enter the directory, or name another one; {program} itself is not the cause"
        );

    private static StartFault? OfFiles(string program, IReadOnlyList<string> files)
    {
        foreach (var file in files)
        {
            var parent = Path.GetDirectoryName(file) ?? "/";
            if (!Directory.Exists(parent) || !FileAccessCheck.MayWrite(File.Exists(file) ? file : parent))
            {
                return new(
                    StartProblem.OutputClosed,
                    $"cannot start {program}: its output file {file} cannot be opened",
                    $"check the directory {parent}: it must exist and belong to the service user"
                );
            }
        }

        return null;
    }

    private static StartFault? OfProgram(string program, string? searchPath)
    {
        var file = ProgramFile.Locate(program, "/", searchPath);
        if (file is null)
        {
            return Missing(program, $"there is no such program on the PATH ({searchPath})");
        }

        if (RealPath.Of(file) is not { } real)
        {
            return PathFacts.Fault(file) is { } why
                ? Closed(program, $"{file} cannot be reached: {why}")
                : Missing(program, PathFacts.Of(file) is null ? "there is no such file" : "the link leads to no file");
        }

        // A pipe in the program's place would keep the look at its first line waiting.
        if (PathFacts.Of(real) is not { Kind: PathKind.File })
        {
            return Closed(program, Directory.Exists(file) ? $"{file} is a directory" : $"{file} is no regular file");
        }

        return FileAccessCheck.MayExecute(file)
            ? OfInterpreter(program, file)
            : Closed(program, "this user may not execute it (mode, owner, or a file system mounted noexec)");
    }

    private static StartFault? OfInterpreter(string program, string file)
    {
        var head = Head(file);
        if (head is null)
        {
            return null; // A program that may be executed and not read.
        }

        if (Interpreter(head) is { } interpreter)
        {
            return interpreter switch
            {
                "" => NotAProgram(program, file),
                _ when interpreter.EndsWith('\r') => new(
                    StartProblem.InterpreterMissing,
                    $"cannot start {program}: its first line names {interpreter[..^1]} and ends with a carriage return",
                    $"write {file} with Unix line ends"
                ),
                _ when !File.Exists(interpreter) => new(
                    StartProblem.InterpreterMissing,
                    $"cannot start {program}: its interpreter {interpreter} does not exist",
                    $"install {interpreter}, or correct the first line of {file}"
                ),
                _ when !FileAccessCheck.MayExecute(interpreter) => new(
                    StartProblem.InterpreterClosed,
                    $"cannot start {program}: its interpreter {interpreter} may not be executed by this user",
                    $"make {interpreter} executable, or correct the first line of {file}"
                ),
                _ => null,
            };
        }

        if (!IsBinary(head))
        {
            return NotAProgram(program, file);
        }

        return ElfLoader.Of(file) is { } loader && !File.Exists(loader)
            ? new(
                StartProblem.InterpreterMissing,
                $"cannot start {program}: the loader {loader} that it was built for does not exist",
                "install the program that was built for this system"
            )
            : null;
    }

    /// <summary>
    /// The interpreter that a first line names; empty for none after the mark, null where there is no mark.
    /// </summary>
    public static string? Interpreter(ReadOnlySpan<byte> head) => Split(head).Interpreter;

    /// <summary>The interpreter that a file's first line names, and what is given to it; null for a program.</summary>
    internal static (string? Interpreter, string Argument) FirstLine(string file) =>
        RealPath.Of(file) is { } real && PathFacts.Of(real) is { Kind: PathKind.File } && Head(real) is { } head
            ? Split(head)
            : (null, "");

    private static (string? Interpreter, string Argument) Split(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith("#!"u8))
        {
            return (null, "");
        }

        var line = Encoding.UTF8.GetString(head[2..]).Split('\n')[0].TrimStart(' ', '\t');
        var end = line.AsSpan().IndexOfAny(' ', '\t');
        return end < 0 ? (line, "") : (line[..end], line[(end + 1)..]);
    }

    private static bool IsBinary(ReadOnlySpan<byte> head) => head.StartsWith("\u007fELF"u8);

    private static byte[]? Head(string file)
    {
        try
        {
            using var handle = OutsideFile.OpenBehindLinks(file);
            if (handle.IsInvalid)
            {
                return null;
            }

            var bytes = new byte[MostFirstLine];
            return bytes[..RandomAccess.Read(handle, bytes, 0)];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    private static StartFault Missing(string program, string why) =>
        new(StartProblem.ProgramMissing, $"cannot start {program}: {why}", "install the program, or correct its path");

    private static StartFault Closed(string program, string why) =>
        new(
            StartProblem.ProgramClosed,
            $"cannot start {program}: {why}",
            "let the service user execute the program, or correct its path"
        );

    private static StartFault NotAProgram(string program, string file) =>
        new(
            StartProblem.NotAProgram,
            $"cannot start {program}: it is neither a program for this machine nor a script "
                + "whose first line names an interpreter",
            $"begin {file} with #!/bin/sh or the like, or install the program that was built for this machine"
        );
}
