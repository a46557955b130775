#!/usr/bin/env bash
# The smallest agent that does a real job: reads its task, commits a file, says so. What the demo wakes.
set -euo pipefail
fleet-sidecar task start
cd "$FLEET_WORKSPACE"
{
  printf '# Done by an agent\n\nTask %s, generation %s:\n\n' "$FLEET_TASK_ID" "$FLEET_GENERATION"
  fleet-sidecar task show
} > "DONE-$FLEET_TASK_ID.md"
git add --all
git commit --quiet --message "Do $FLEET_TASK_ID"
echo "committed $(git rev-parse --short HEAD)"
fleet-sidecar task complete --output "wrote DONE-$FLEET_TASK_ID.md"
