namespace FleetSidecar.EndToEnd;

/// <summary>Agents for the tests: small shell programs that leave a trace of every execution.</summary>
internal static class Scripts
{
    /// <summary>Waits for the file <c>go</c>, so that a test decides when the work ends.</summary>
    public const string WaitForGo = "while [ ! -e \"$FLEET_TEST_DIR/go\" ]; do sleep 0.05; done";

    private const string Trace = "echo \"$$ $FLEET_TASK_ID $FLEET_GENERATION\" >> \"$FLEET_TEST_DIR/executions\"";

    /// <summary>An agent with the test's directory baked in and a line in <c>executions</c> for every start.</summary>
    public static string Agent(TempDir directory, string body, string name = "agent.sh") =>
        directory.WriteScript(name, $"set -eu\nexport FLEET_TEST_DIR='{directory.Path}'\n{Trace}\n{body}");

    /// <summary>Starts, waits for go, commits where there is a repository, reports success.</summary>
    public static string Worker(TempDir directory) => Agent(directory, $$"""
        fleet-sidecar task start
        {{WaitForGo}}
        if [ -d .git ]; then echo done > "$FLEET_TASK_ID.txt"; git add --all; git commit --quiet -m "Do $FLEET_TASK_ID"; fi
        fleet-sidecar task complete --output "done by $$"
        """);

    /// <summary>The same, and it leaves a word in <c>overlaps</c> if another agent of the test is at work.</summary>
    public static string JealousWorker(TempDir directory) => Agent(directory, $$"""
        exec 9>"$FLEET_TEST_DIR/lock"
        flock --nonblock 9 || echo "$$" >> "$FLEET_TEST_DIR/overlaps"
        fleet-sidecar task start 9>&-
        while [ ! -e "$FLEET_TEST_DIR/go" ]; do sleep 0.05 9>&-; done
        if [ -d .git ]; then echo done > "$FLEET_TASK_ID.txt"; git add --all 9>&-; git commit --quiet -m "Do $FLEET_TASK_ID" 9>&-; fi
        fleet-sidecar task complete --output "done by $$" 9>&-
        """);

    public static void Go(TempDir directory) => File.WriteAllText(directory["go"], "");

    public static string[] Executions(TempDir directory) =>
        File.Exists(directory["executions"]) ? File.ReadAllLines(directory["executions"]) : [];

    public static Task StartedAsync(TempDir directory, int count = 1) =>
        Wait.UntilAsync(() => Executions(directory).Length >= count, $"{count} executions");

    /// <summary>Another program that holds the sidecar's database until there is a file <c>release</c>; says <c>held</c>, and never outlives its test by much.</summary>
    public static TestProgram HoldDatabase(TempDir directory) => TestProgram.Start("/bin/bash",
        ["-c", "( echo 'BEGIN IMMEDIATE;'; echo \"SELECT 'held';\"; for i in {1..1500}; do [ ! -e release ] || break; sleep 0.05; done ) | sqlite3 iris-state/state.db"],
        directory: directory.Path);
}
