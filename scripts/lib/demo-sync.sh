#!/usr/bin/env bash
# Two agents, one upstream that carries the master's identity, and a kill -9 in the middle. Called by scripts/demo.sh --sync.
set -euo pipefail
. "$(dirname "$0")/common.sh"

started=$SECONDS
step() { printf '%4d s  %s\n' $((SECONDS - started)) "$*"; }
if [ -n "${FLEET_DEMO_PROGRAMS-}" ]; then
  sidecar=$FLEET_DEMO_PROGRAMS/fleet-sidecar/fleet-sidecar
else
  need_build_tools
  step "building (the first time takes a minute)"
  build src/Sidecar/Sidecar.csproj Release
  sidecar=$root/artifacts/bin/Sidecar/release/fleet-sidecar
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/fleet-sync.XXXXXX")
finish() {
  status=$?
  if [ $status -eq 0 ]; then rm -rf "$work"; else echo "everything is kept in $work" >&2; fi
}
trap finish EXIT
commit() { # message
  git -C "$work/seed" add --all --force
  git -C "$work/seed" -c user.name=demo -c user.email=demo@fleet.invalid commit --quiet --message "$1"
  git -C "$work/seed" push --quiet origin HEAD:main
}
identity() { # directory Name
  printf 'I am %s.\nI keep my word.\n' "$2" > "$1/SOUL.md"
  printf '# Memory of %s\n- the others are Iris, Clara and the Master\n' "$2" > "$1/MEMORY.md"
}
run() { "$sidecar" "$@" --config "$work/$agent.json"; } # for $agent

step "an upstream with the fleet's code, version 1"
git init --quiet --bare --initial-branch=main "$work/upstream.git"
git clone --quiet "$work/upstream.git" "$work/seed" 2>/dev/null
echo 1 > "$work/seed/version"
commit "Version 1"

for agent in iris clara; do
  name=${agent^}
  # iris's tree must stay where it is; clara's is reached by a symbolic link.
  if [ $agent = iris ]; then tree=$work/iris; else tree=$work/clara-first; ln -s "$tree" "$work/clara"; fi
  git clone --quiet "$work/upstream.git" "$tree"
  identity "$tree" "$name"
  echo token > "$work/token"
  cat > "$work/$agent.json" <<EOT
{
  "agent": { "id": "$agent" },
  "hub": { "url": "ws://127.0.0.1:9/ws", "tokenFile": "$work/token" },
  "stateDirectory": "$work/$agent-state",
  "wake": { "profiles": [ { "name": "main", "command": ["/bin/true"] } ] },
  "identity": {
    "tree": "$work/$agent", "upstream": { "url": "$work/upstream.git" },
    "files": [ { "path": "SOUL.md", "rule": "sealed", "mark": "I am $name" }, { "path": "MEMORY.md", "rule": "mark", "mark": "Memory of $name" } ],
  },
}
EOT
  run identity seal >/dev/null
  cp "$work/$agent/SOUL.md" "$work/$agent.soul"
  cp "$work/$agent/MEMORY.md" "$work/$agent.memory"
  step "$agent: identity sealed"
done
whole() { # when
  for agent in iris clara; do
    cmp --silent "$work/$agent.soul" "$work/$agent/SOUL.md" || die "$agent has another SOUL.md $1"
    cmp --silent "$work/$agent.memory" "$work/$agent/MEMORY.md" || die "$agent has another MEMORY.md $1"
  done
}

step "the upstream goes bad: version 2 carries the master's SOUL.md and MEMORY.md"
identity "$work/seed" Master
echo 2 > "$work/seed/version"
commit "Version 2, with the master's identity"
for agent in iris clara; do
  run sync > "$work/said"
  step "$agent: $(head -n 1 "$work/said" | cut -c 1-20)…, $(grep -c '^kept' "$work/said") identity files kept"
done
whole "after the sync"

step "version 3, and kill -9 in the middle of both syncs"
echo 3 > "$work/seed/version"
commit "Version 3"
for agent in iris clara; do
  mkdir "$work/$agent-crash"
  FLEET_CRASH_POINT=sync_placed FLEET_CRASH_DIR=$work/$agent-crash "$sidecar" sync --crash-points --config "$work/$agent.json" >/dev/null 2>&1 &
  pid=$!
  for _ in $(seq 300); do [ -e "$work/$agent-crash/reached" ] && break; sleep 0.05; done
  [ -e "$work/$agent-crash/reached" ] || die "the sync of $agent did not get to its middle"
  kill -9 $pid
  wait $pid 2>/dev/null || true
done
whole "right after kill -9"
step "both identities are whole at that very moment"
for agent in iris clara; do
  run sync > "$work/said"
  [ "$(cat "$work/$agent/version")" = 3 ] || die "$agent is not at version 3"
  step "$agent: the next sync finished it"
done

step "somebody copies the master's SOUL.md over iris's, and her backup too"
cp "$work/seed/SOUL.md" "$work/iris/SOUL.md"
cp "$work/seed/SOUL.md" "$work/iris-state/identity/backup/SOUL.md"
agent=iris
if run identity check > "$work/said"; then die "identity check saw nothing"; fi
step "iris: identity check says $(grep -c '^FOREIGN' "$work/said") sources are foreign"
run sync | sed -n 's/^restored/             restored/p'
whole "after the repair"
for agent in iris clara; do run identity check >/dev/null || die "identity check of $agent fails"; done

echo
for agent in iris clara; do
  echo "  $agent  version $(cat "$work/$agent/version")  \"$(head -n 1 "$work/$agent/SOUL.md")\""
done
echo "  upstream  version $(cat "$work/seed/version")  \"$(head -n 1 "$work/seed/SOUL.md")\""
echo
echo "Both agents have the upstream's code and their own identity. Where to look next: docs/identity.md."
