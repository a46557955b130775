namespace FleetSidecar.Ground.Processes;

/// <summary>What keeps a program from being started.</summary>
public enum StartProblem
{
    /// <summary>None of the others: the system's own words are all there is.</summary>
    Other,

    /// <summary>The directory that the program is to run in does not exist.</summary>
    DirectoryMissing,

    /// <summary>The directory that the program is to run in is no directory, or may not be entered.</summary>
    DirectoryClosed,

    /// <summary>A file for input or output cannot be opened.</summary>
    OutputClosed,

    /// <summary>The program does not exist.</summary>
    ProgramMissing,

    /// <summary>The program exists and may not be executed.</summary>
    ProgramClosed,

    /// <summary>
    /// The program is there; what its first line names as its interpreter, or its loader, does not exist.
    /// </summary>
    InterpreterMissing,

    /// <summary>The program is there; the interpreter that its first line names may not be executed.</summary>
    InterpreterClosed,

    /// <summary>Another user than root and this one may write the program, or something on the way to it.</summary>
    ProgramUntrusted,

    /// <summary>The file is neither a program of this machine nor a script with an interpreter.</summary>
    NotAProgram,
}

/// <summary>Why a program cannot be started: one cause, in words, and what to do about it.</summary>
public sealed record StartFault(StartProblem Problem, string Message, string Hint);
