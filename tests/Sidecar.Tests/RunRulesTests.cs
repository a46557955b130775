using System.Text.RegularExpressions;
using FleetSidecar.Runs;

namespace FleetSidecar.Tests;

/// <summary>The table of moves, and the page that shows it.</summary>
public sealed partial class RunRulesTests
{
    [Fact]
    public void The_picture_in_the_docs_shows_exactly_the_moves_of_the_code()
    {
        var drawn = Arrow().Matches(File.ReadAllText(Path.Combine(TestProgram.Root, "docs", "states.md")))
            .SelectMany(match => match.Groups["signals"].Value.Split(',', StringSplitOptions.TrimEntries)
                .Select(signal => $"{match.Groups["from"].Value} --{signal}--> {match.Groups["to"].Value}"))
            .Order();

        Assert.Equal(Moves().Order(), drawn);
    }

    [Fact]
    public void A_final_state_is_left_only_by_the_hubs_acknowledgement()
    {
        foreach (var (state, signal, move) in Pairs().Where(pair => pair.State.IsFinal() && pair.Move is not null))
        {
            Assert.Equal(RunSignal.Acknowledged, signal);
            Assert.Equal(RunState.Settled, move!.Value.Next);
            Assert.NotEqual(RunState.Settled, state);
        }
    }

    [Fact]
    public void Every_outcome_that_the_hub_did_not_decide_itself_is_told_in_the_same_move()
    {
        foreach (var (_, _, move) in Pairs())
        {
            var expected = move?.Next switch
            {
                RunState.Completed => RunRows.Complete,
                RunState.Failed => RunRows.Failed,
                RunState.HandedOff => RunRows.HandOff,
                RunState.Accepted => RunRows.Accepted,
                _ => RunRows.None,
            };
            Assert.True((move?.Rows ?? RunRows.None).HasFlag(expected));
        }
    }

    [Fact]
    public void From_every_state_a_run_can_reach_the_end()
    {
        var moves = Pairs().Where(pair => pair.Move is not null).ToLookup(pair => pair.State, pair => pair.Move!.Value.Next);
        foreach (var state in Enum.GetValues<RunState>())
        {
            var seen = new HashSet<RunState> { state };
            var next = new Queue<RunState>(seen);
            while (next.TryDequeue(out var here))
            {
                foreach (var there in moves[here].Where(seen.Add))
                {
                    next.Enqueue(there);
                }
            }

            Assert.Contains(RunState.Settled, seen);
        }
    }

    [Fact]
    public void A_pair_that_cannot_happen_throws_with_both_names()
    {
        var fault = Assert.Throws<InvalidOperationException>(() => RunRules.Next(RunState.Completed, RunSignal.Fail));

        Assert.Equal("A run got Fail while completed.", fault.Message);
    }

    private static IEnumerable<(RunState State, RunSignal Signal, RunMove? Move)> Pairs() =>
        from state in Enum.GetValues<RunState>() from signal in Enum.GetValues<RunSignal>() select (state, signal, RunRules.TryNext(state, signal));

    private static IEnumerable<string> Moves() =>
        Pairs().Where(pair => pair.Move is not null).Select(pair => $"{pair.State.Word()} --{pair.Signal}--> {pair.Move!.Value.Next.Word()}");

    [GeneratedRegex(@"^\s*(?<from>[a-z_]+) --> (?<to>[a-z_]+): (?<signals>[A-Za-z, ]+)$", RegexOptions.Multiline)]
    private static partial Regex Arrow();
}
