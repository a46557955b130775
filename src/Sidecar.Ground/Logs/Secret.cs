namespace FleetSidecar.Ground.Logs;

/// <summary>A value that must not be seen. Printing it shows stars; only <see cref="Reveal"/> gives it away.</summary>
public sealed class Secret(string value)
{
    public string Reveal() => value;

    public override string ToString() => "***";
}
