namespace FleetSidecar.Protocol;

public abstract partial record SidecarMessage
{
    /// <summary>Version 2: everything the hub needs to know about a sidecar, in one frame; answered by <c>pong</c>.</summary>
    /// <remarks>Replaces <see cref="Ping"/> and <see cref="ResourceReport"/>. Default interval 30 s plus a share of it derived
    /// from the agent id, so that a fleet spreads.</remarks>
    public sealed record Heartbeat : SidecarMessage
    {
        /// <summary>Sender's clock, unix milliseconds.</summary>
        public required long Timestamp { get; init; }

        /// <summary><c>idle</c>, <c>working</c>, <c>draining</c>, <c>paused</c> or <c>stopping</c>.</summary>
        public required string State { get; init; }

        /// <summary>Whether the hub may assign work now. False whenever <see cref="UnavailableReason"/> is set.</summary>
        public required bool Available { get; init; }

        /// <summary>Why not, one line.</summary>
        public string? UnavailableReason { get; init; }

        /// <summary>Slots in all; 1 to 64.</summary>
        public required int Slots { get; init; }

        /// <summary>Every run that is not settled.</summary>
        public required IReadOnlyList<RunReport> Runs { get; init; }

        /// <summary>The last self-test, where one has run.</summary>
        public SelfTestReport? SelfTest { get; init; }

        /// <summary>Load of the machine.</summary>
        public Resources? Resources { get; init; }

        /// <summary>Deadlines in force, seconds by name.</summary>
        public IReadOnlyDictionary<string, long>? DeadlinesSeconds { get; init; }

        /// <summary>Things that went wrong here and that nobody has answered yet, such as a damaged store.</summary>
        public IReadOnlyList<Incident>? Incidents { get; init; }
    }
}

/// <summary>One run as its sidecar sees it.</summary>
public sealed record RunReport
{
    /// <summary>The task.</summary>
    public required string TaskId { get; init; }

    /// <summary>The generation being worked on.</summary>
    public required long Generation { get; init; }

    /// <summary>The run's state, one of the words of <c>docs/states.md</c>.</summary>
    public required string State { get; init; }

    /// <summary>The run's id on its machine.</summary>
    public string? RunId { get; init; }

    /// <summary>The highest wake level that was proved.</summary>
    public string? WakeLevel { get; init; }
}

/// <summary>Outcome and age of a self-test.</summary>
public sealed record SelfTestReport
{
    /// <summary>Whether every check that matters passed.</summary>
    public required bool Passed { get; init; }

    /// <summary>Age when the frame was made, seconds.</summary>
    public required long AgeSeconds { get; init; }

    /// <summary>Names of the checks that failed.</summary>
    public IReadOnlyList<string>? Failed { get; init; }
}

/// <summary>Load of the machine when the frame was made.</summary>
public sealed record Resources
{
    /// <summary>One-minute load average.</summary>
    public double? Load1 { get; init; }

    /// <summary>Memory available, bytes.</summary>
    public long? MemoryAvailableBytes { get; init; }

    /// <summary>Memory of the machine, bytes.</summary>
    public long? MemoryTotalBytes { get; init; }

    /// <summary>Free space where the state lives, bytes.</summary>
    public long? DiskFreeBytes { get; init; }
}

/// <summary>Something that went wrong on a machine and that a person should see.</summary>
public sealed record Incident
{
    /// <summary>A stable word, such as <c>store_damaged</c>.</summary>
    public required string Code { get; init; }

    /// <summary>When, unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    /// <summary>What happened and where the evidence is, one line.</summary>
    public required string Detail { get; init; }
}
