namespace FleetSidecar.Protocol;

/// <summary>Why a frame was not believed. The code travels to the peer; the detail never quotes the frame's content.</summary>
public sealed record Refusal(RefusalCode Code, string Detail)
{
    /// <summary>The word for the wire, such as <c>unknown_type</c>.</summary>
    public string Word => Code switch
    {
        RefusalCode.TooLarge => "frame_too_large",
        RefusalCode.NotText => "not_text",
        RefusalCode.NotJson => "invalid_json",
        RefusalCode.NoType => "no_type",
        RefusalCode.UnknownType => "unknown_message_type",
        RefusalCode.Invalid => "invalid_message",
        _ => throw new InvalidOperationException($"No wire word for {Code}."),
    };

    /// <summary>The task that a <c>task_assign</c> of the wrong form is about; null for every other frame, and where its ids cannot be read.</summary>
    public UnreadAssignment? Assignment { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Word}: {Detail}";
}

/// <summary>The kinds of refusal.</summary>
public enum RefusalCode
{
    /// <summary>Larger than <see cref="WireLimits.MaxFrameBytes"/>.</summary>
    TooLarge,

    /// <summary>A binary frame.</summary>
    NotText,

    /// <summary>Not one JSON object, or nested deeper than <see cref="WireLimits.MaxDepth"/>.</summary>
    NotJson,

    /// <summary>No <c>type</c>, or one that is not text.</summary>
    NoType,

    /// <summary>A <c>type</c> that this end does not know; ignored, the link stays up.</summary>
    UnknownType,

    /// <summary>A known type with a missing, mistyped or oversized field.</summary>
    Invalid,
}
