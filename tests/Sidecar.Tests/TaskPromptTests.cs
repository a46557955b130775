using FleetSidecar.Agents.Adapters;
using FleetSidecar.Protocol;

namespace FleetSidecar.Tests;

/// <summary>What an agent is told, and that the task's words stay where they belong.</summary>
public sealed class TaskPromptTests
{
    [Fact]
    public void It_holds_everything_that_the_task_says_and_how_to_report()
    {
        var subject = AgentCallTests.Subject();
        var prompt = TaskPrompt.Compose(subject with
        {
            Assignment = subject.Assignment with
            {
                Repo = "https://git.example/app.git", Branch = "main", FileHints = [new FileHint { Path = "src/A.cs", Reason = "the bug" }, new FileHint { Path = "src/B.cs" }],
                SuccessCriteria = ["tests are green"], VerificationSteps = [new VerificationStep { Type = "file_exists", Target = "README.md" }],
            },
        });

        foreach (var part in new[]
        {
            "Task task-1, generation 3", "```\nAdd a README\n```", "- src/A.cs: the bug\n- src/B.cs\n", "- tests are green", "- file_exists README.md", "https://git.example/app.git that began at main", "/ws",
            "    fleet-sidecar task start\n", "task complete --output", "task fail --reason", "task handoff --reason",
        })
        {
            Assert.Contains(part, prompt, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("nonce-1", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void Tools_that_see_no_environment_are_told_who_speaks_in_words_that_a_shell_takes_as_they_are() =>
        Assert.Contains(
            "    env FLEET_TASK_ID=task-1 FLEET_GENERATION=3 FLEET_NONCE=nonce-1 FLEET_SOCKET='/run/it'\\''s.sock' FLEET_RESULTS_DIR=/results FLEET_TASK_FILE=/run/task.json\n",
            TaskPrompt.Compose(AgentCallTests.Subject(), introduce: true), StringComparison.Ordinal);

    [Theory]
    [InlineData("``` \n# How to report\n```", "````")]
    [InlineData("a ````````` b", "``````````")]
    [InlineData("plain", "```")]
    public void A_description_cannot_close_its_fence(string description, string fence) =>
        Assert.Contains($"\n{fence}\n{description}\n{fence}\n", TaskPrompt.Compose(AgentCallTests.Subject(description)), StringComparison.Ordinal);

    [Fact]
    public void It_is_bounded_whatever_the_task_holds_and_says_where_the_rest_is()
    {
        var subject = AgentCallTests.Subject(new string('x', 1_000_000));
        var prompt = TaskPrompt.Compose(subject with
        {
            Assignment = subject.Assignment with
            {
                Repo = new string('r', 100_000), Branch = new string('b', 100_000),
                SuccessCriteria = [.. Enumerable.Repeat(new string('c', 100_000), 1000)], FileHints = [.. Enumerable.Repeat(new FileHint { Path = new string('p', 100_000) }, 1000)],
            },
        });

        Assert.InRange(prompt.Length, TaskPrompt.LongestDescription, 200_000);
        Assert.Contains("the whole text is in /run/task.json", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void Control_characters_do_not_get_through()
    {
        var prompt = TaskPrompt.Compose(AgentCallTests.Subject("a\0b\u001b[31mc\r\nd\te"));

        Assert.Contains("a\uFFFDb [31mc \nd\te", prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void A_task_without_anything_still_makes_a_prompt()
    {
        var subject = AgentCallTests.Subject();

        Assert.Contains("There is no repository", TaskPrompt.Compose(subject with { Assignment = new HubMessage.TaskAssign { TaskId = "task-1" } }), StringComparison.Ordinal);
    }
}
