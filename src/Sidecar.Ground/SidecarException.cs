namespace FleetSidecar.Ground;

/// <summary>A fault that a person has to deal with: what happened, and what to do about it.</summary>
public class SidecarException : Exception
{
    public SidecarException(string message, string hint, Exception? inner = null)
        : base(message, inner) => Hint = hint;

    /// <summary>What the operator should do, one sentence.</summary>
    public string Hint { get; }
}

/// <summary>The configuration, or the place where the program is asked to run, is wrong. Ends the program with exit code 78.</summary>
public sealed class ConfigurationException(string message, string hint, Exception? inner = null)
    : SidecarException(message, hint, inner);
