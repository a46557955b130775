using System.Text;

namespace FleetSidecar.Protocol.Tests;

/// <summary>What a frame may look like, and what is refused with which word.</summary>
public sealed class FrameReadingTests
{
    private const string Id = "task-0123456789abcdef";

    [Fact]
    public void The_type_may_stand_anywhere_and_unknown_fields_are_ignored()
    {
        var message = Read($$"""{"generation":4,"from_the_future":{"a":[1]},"task_id":"{{Id}}","type":"task_assign"}""");

        var assign = Assert.IsType<HubMessage.TaskAssign>(message);
        Assert.Equal(4, assign.Generation);
    }

    [Fact]
    public void Every_optional_field_of_an_assignment_may_be_null()
    {
        var message = Read($$"""
            {"type":"task_assign","task_id":"{{Id}}","description":null,"metadata":null,"generation":null,"assigned_at":null,"repo":null,"branch":null,
             "file_hints":null,"success_criteria":null,"verification_steps":null,"complexity":null,"routing_decision":null,"skip_verification":null,
             "verification_timeout_ms":null,"max_verification_retries":null}
            """);

        Assert.Equal(Id, Assert.IsType<HubMessage.TaskAssign>(message).TaskId);
    }

    [Theory]
    [InlineData("""{"task_id":"a","type":"task_assign","generation":7,"description":5}""", "a", 7L)]
    [InlineData("""{"type":"task_assign","success_criteria":[null],"task_id":"a"}""", "a", 0L)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":7,"metadata":{"task_id":"b","generation":8},"repo":{}}""", "a", 7L)]
    [InlineData("""{"type":"task_assign","task_id":"a","task_id":"b","generation":7}""", null, 0L)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":7,"generation":8}""", null, 0L)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":-1}""", null, 0L)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":1e400}""", null, 0L)]
    [InlineData("""{"type":"task_assign","task_id":"../a","generation":7}""", null, 0L)]
    [InlineData("""{"type":"task_assign","generation":7}""", null, 0L)]
    [InlineData("""{"type":"task_cancelled","task_id":"a","generation":-1}""", null, 0L)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":7,""", null, 0L)]
    public void A_refused_assignment_says_which_task_it_is_about_where_its_ids_can_be_read(string frame, string? task, long generation)
    {
        Assert.False(Frame.TryRead(Encoding.UTF8.GetBytes(frame), out HubMessage? _, out var refusal));

        Assert.Equal(task is null ? null : new UnreadAssignment(task, generation), refusal.Assignment);
    }

    [Theory]
    [InlineData("", RefusalCode.NotJson)]
    [InlineData("{", RefusalCode.NotJson)]
    [InlineData("[]", RefusalCode.NotJson)]
    [InlineData("null", RefusalCode.NotJson)]
    [InlineData("{} {}", RefusalCode.NotJson)]
    [InlineData("{}", RefusalCode.NoType)]
    [InlineData("""{"type":7}""", RefusalCode.NoType)]
    [InlineData("""{"type":{"type":"pong"}}""", RefusalCode.NoType)]
    [InlineData("""{"type":"agent_joined"}""", RefusalCode.UnknownType)]
    [InlineData("""{"type":"identify"}""", RefusalCode.UnknownType)]
    [InlineData("""{"type":"task_assign"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":null}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":17}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":""}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"../../etc/passwd"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"-rf"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"a\u0000b"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"\ud800"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"\ud800"}""", RefusalCode.UnknownType)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":-1}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":1e400}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"a","generation":"1"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"a","task_id":"b"}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"a","success_criteria":[null]}""", RefusalCode.Invalid)]
    [InlineData("""{"type":"task_assign","task_id":"a","file_hints":{"path":"x"}}""", RefusalCode.Invalid)]
    public void What_is_wrong_gets_its_own_word(string frame, RefusalCode code)
    {
        Assert.False(Frame.TryRead(Encoding.UTF8.GetBytes(frame), out HubMessage? _, out var refusal));

        Assert.Equal(code, refusal.Code);
    }

    [Fact]
    public void A_frame_of_one_mebibyte_is_read_and_one_byte_more_is_refused()
    {
        var frame = Encoding.UTF8.GetBytes($$"""{"type":"pong","padding":"{{new string('x', WireLimits.MaxFrameBytes - 28)}}"}""");
        Assert.Equal(WireLimits.MaxFrameBytes, frame.Length);

        Assert.True(Frame.TryRead(frame, out HubMessage? _, out _));

        Assert.False(Frame.TryRead([.. frame, (byte)' '], out HubMessage? _, out var refusal));
        Assert.Equal(RefusalCode.TooLarge, refusal.Code);
    }

    [Fact]
    public void Nesting_beyond_the_limit_is_refused()
    {
        var deep = $$"""{"type":"pong","x":{{new string('[', 100_000)}}{{new string(']', 100_000)}}}""";

        Assert.False(Frame.TryRead(Encoding.UTF8.GetBytes(deep), out HubMessage? _, out var refusal));

        Assert.Equal(RefusalCode.NotJson, refusal.Code);
    }

    [Fact]
    public void A_refusal_never_quotes_a_value_because_it_travels()
    {
        const string Secret = "s3cret-value";

        Frame.TryRead(Encoding.UTF8.GetBytes($$"""{"type":"identify","agent_id":"iris","token":["{{Secret}}"]}"""), out SidecarMessage? _, out var refusal);

        Assert.DoesNotContain(Secret, refusal!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_identify_does_not_print_its_token()
    {
        var identify = new SidecarMessage.Identify { AgentId = "iris", Token = "fleet_secret" };

        Assert.DoesNotContain("fleet_secret", identify.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("description", 65_536)]
    [InlineData("repo", 512)]
    [InlineData("branch", 256)]
    public void A_text_at_its_limit_passes_and_one_character_more_does_not(string field, int limit)
    {
        Assert.NotNull(TryRead($$"""{"type":"task_assign","task_id":"a","{{field}}":"{{new string('x', limit)}}"}"""));
        Assert.Null(TryRead($$"""{"type":"task_assign","task_id":"a","{{field}}":"{{new string('x', limit + 1)}}"}"""));
    }

    private static HubMessage Read(string frame) => TryRead(frame) ?? throw new InvalidOperationException("refused");

    private static HubMessage? TryRead(string frame) => Frame.TryRead(Encoding.UTF8.GetBytes(frame), out HubMessage? message, out _) ? message : null;
}
