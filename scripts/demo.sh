#!/usr/bin/env bash
# Runs the main job once, for real, on this machine: hub, sidecar, git origin, one task, one agent, a pushed branch.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

help() {
  cat <<'EOT'
usage: scripts/demo.sh [--keep] [--agent NAME] [--help]
       scripts/demo.sh --sync

Builds fleet-hub and fleet-sidecar, starts both on 127.0.0.1 in a temporary directory, makes a git repository
with an origin, submits one task and waits until the agent has done it. Exit code 0 only if the hub says
"completed" and the origin holds the agent's commit.

  --keep         leave everything running; prints the dashboard's address and a command that submits another task
  --agent NAME   let an installed agent do the task: claude-code, codex, gemini, opencode or openclaw. It works with
                 its own configuration and model, which costs tokens, and may run commands without asking;
                 FLEET_DEMO_DESCRIPTION is another task for it, FLEET_DEMO_VIA openclaw's openClaw.via (agent)

  --sync         another demo: two agents sync their code from an upstream that carries the master's identity, and are
                 killed in the middle; exit code 0 only if both have the new code and their own identity

examples:
  scripts/demo.sh
  scripts/demo.sh --keep
  scripts/demo.sh --agent claude-code
  scripts/demo.sh --sync
EOT
}

keep=false agent=''
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=true ;;
    --sync) exec "$root/scripts/lib/demo-sync.sh" ;;
    --agent) shift; agent=${1-} ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done

# What an agent may do without asking is the profile's to say; in a throw-away repository it may do everything.
patience=300 description="Say that you were here" profile=''
case $agent in
  '') profile="\"command\": [\"$root/scripts/demo-agent.sh\"]" ;;
  claude-code) program=claude arguments=', "--permission-mode", "bypassPermissions"' ;;
  codex) program=codex arguments=', "--sandbox", "danger-full-access"' ;;
  gemini) program=gemini arguments=', "--approval-mode", "yolo"' ;;
  opencode | openclaw) program=$agent arguments='' ;;
  *) usage "--agent takes claude-code, codex, gemini, opencode or openclaw" ;;
esac
if [ -n "$agent" ]; then
  need "$program" "install it, or leave --agent out"
  path=$(command -v "$program")
  names='' # of the daemon's variables that lead these programs to a model
  for name in $(env | sed -nE 's/^((ANTHROPIC|CLAUDE|OPENAI|CODEX|GEMINI|GOOGLE|OPENCODE|OPENROUTER|OPENCLAW)_[A-Z0-9_]*|IS_SANDBOX)=.*/\1/p'); do names="$names${names:+, }\"$name\""; done
  profile="\"adapter\": \"$agent\", \"command\": [\"$path\"$arguments], \"passEnvironment\": [$names]"
  [ "$agent" = openclaw ] && profile="$profile, \"openClaw\": { \"via\": \"${FLEET_DEMO_VIA-agent}\" }"
  patience=9000
  description=${FLEET_DEMO_DESCRIPTION-"Write a file DONE-<the id of this task>.md into the root of the repository that says that you were here, and commit it."}
fi

started=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - started)) "$*"; }

need git "install it (apt-get install git)"
if [ -n "${FLEET_DEMO_PROGRAMS-}" ]; then
  # Programs that were published before, on a machine that has no .NET.
  hub_bin=$FLEET_DEMO_PROGRAMS/fleet-hub/fleet-hub
  sidecar_bin=$FLEET_DEMO_PROGRAMS/fleet-sidecar/fleet-sidecar
else
  need_build_tools
  step "building"
  build src/Hub/Hub.csproj Release
  build src/Sidecar/Sidecar.csproj Release
  hub_bin=$root/artifacts/bin/Hub/release/fleet-hub
  sidecar_bin=$root/artifacts/bin/Sidecar/release/fleet-sidecar
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/fleet-demo.XXXXXX")
hub_pid='' sidecar_pid=''
finish() {
  status=$?
  if [ $status -ne 0 ]; then
    echo "--- last lines of the hub" >&2; tail -n 15 "$work/hub.out" >&2 2>/dev/null || true
    echo "--- last lines of the sidecar" >&2; tail -n 15 "$work/sidecar.out" >&2 2>/dev/null || true
  fi
  if ! $keep || [ $status -ne 0 ]; then
    for pid in $sidecar_pid $hub_pid; do kill "$pid" 2>/dev/null || true; done
    for pid in $sidecar_pid $hub_pid; do wait "$pid" 2>/dev/null || true; done
    if [ $status -eq 0 ]; then rm -rf "$work"; else echo "everything is kept in $work" >&2; fi
  fi
}
trap finish EXIT

step "making a git repository with an origin"
git init --quiet --bare --initial-branch=main "$work/origin.git"
git clone --quiet "$work/origin.git" "$work/seed" 2>/dev/null
printf '# Demo\n' > "$work/seed/README.md"
git -C "$work/seed" checkout --quiet -B main
git -C "$work/seed" add --all
git -C "$work/seed" -c user.name=demo -c user.email=demo@fleet.invalid commit --quiet --message 'First commit'
git -C "$work/seed" push --quiet origin main

step "starting the hub"
"$hub_bin" serve --data "$work/hub" --listen http://127.0.0.1:0 --local-repositories >"$work/hub.out" 2>&1 &
hub_pid=$!
for _ in $(seq 200); do
  grep -q ' accepts on ' "$work/hub.out" && break
  kill -0 $hub_pid 2>/dev/null || die "the hub ended"
  sleep 0.1
done
address=$(cat "$work/hub/address") || die "the hub did not start in 20 s"
umask 077
"$hub_bin" token create iris --data "$work/hub" > "$work/token"
operator=$("$hub_bin" token create demo --role operator --data "$work/hub")

step "starting the sidecar"
cat > "$work/sidecar.json" <<EOT
{
  "agent": { "id": "iris", "capabilities": ["code"] },
  "hub": { "url": "ws${address#http}/ws", "tokenFile": "$work/token" },
  "stateDirectory": "$work/state",
  "wake": { "profiles": [ { "name": "main", $profile } ] },
  "workspace": { "allowedRepositories": [ "$work/origin.git" ] },
}
EOT
"$sidecar_bin" run --config "$work/sidecar.json" >"$work/sidecar.out" 2>&1 &
sidecar_pid=$!

step "submitting a task"
task=$("$hub_bin" task add --data "$work/hub" --description "$description" --repo "$work/origin.git" --needs code)
status=''
for _ in $(seq $patience); do
  status=$("$hub_bin" task show --data "$work/hub" --json "$task" | sed -n 's/^  "status": "\(.*\)",$/\1/p')
  case $status in completed | dead_letter | cancelled) break ;; esac
  kill -0 $sidecar_pid 2>/dev/null || die "the sidecar ended"
  sleep 0.1
done
[ "$status" = completed ] || die "the task is '$status', not completed"
commit=$(git -C "$work/origin.git" rev-parse --verify --quiet "refs/heads/iris/$task") || die "the origin has no branch iris/$task"
git -C "$work/origin.git" show "$commit:DONE-$task.md" >/dev/null || die "the agent's file is not in the pushed commit"
step "completed"

echo
echo "What happened to the task, as the hub saw it:"
"$hub_bin" task show --data "$work/hub" "$task" | sed 's/^/  /'
echo
echo "What the agent pushed to the origin:"
git -C "$work/origin.git" log --format='  %h %an: %s' --name-status -1 "iris/$task"
git -C "$work/origin.git" branch --list | sed 's/^/  branch /'
echo
if $keep; then
  trap - EXIT
  cat <<EOT
Still running (hub $hub_pid, sidecar $sidecar_pid; stop with: kill $sidecar_pid $hub_pid):
  dashboard      $address/#token=$operator
  another task   $hub_bin task add --data $work/hub --description 'Another one' --repo $work/origin.git
  status         $sidecar_bin status --config $work/sidecar.json
  everything     $work
EOT
else
  echo "Where to look next: scripts/demo.sh --keep leaves it running; README.md says how to use it on your machines."
fi
