namespace FleetSidecar.Tests;

/// <summary>The table of hostile acts in docs/security.md is that of the script which does them.</summary>
public sealed class HostileActsTests
{
    [Fact]
    public async Task Every_act_is_in_the_table_with_what_holds_it_and_there_are_at_least_fifty()
    {
        var (code, table) = await TestProgram.RunAsync(Path.Combine(TestProgram.Root, "scripts/lab-hostile.sh"), ["--list"]);

        Assert.Equal(0, code);
        Assert.InRange(table.Split('\n').Count(line => line.StartsWith("| ", StringComparison.Ordinal)) - 1, 50, 200);
        Assert.Contains($"\n\n{table}\n", await File.ReadAllTextAsync(Path.Combine(TestProgram.Root, "docs/security.md")), StringComparison.Ordinal);
    }
}
