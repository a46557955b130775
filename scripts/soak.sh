#!/usr/bin/env bash
# Kills sidecar, hub and agents at random for some minutes and checks that nothing was lost or done twice.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

help() {
  cat <<'EOT'
usage: scripts/soak.sh [--minutes N | --identity N] [--seed N] [--help]

Starts a hub, a sidecar with three slots and a real git origin on loopback and gives them work. Kills them and their
agents at random, makes the sidecar throw at random places, and cancels and retries tasks at once. Then every task must
have completed once, with its commit on the origin, and never two agents at once, and settled runs must be within their
limit. Prints a table with what was done and what the sidecar holds before and after more work. Exit code 0 only if
nothing is broken. Takes some minutes longer than it kills, because tasks whose agent was killed are tried again.

  --identity N  instead: kill N syncs of a fleet's code tree at random moments, in turn in place and by swap, from clean
                and contaminated identities, with an upstream that carries the master's. At the moment of each kill
                every source that was the agent's must still be, and the next sync must make everything whole
  --minutes N   how long to kill (default 5)
  --seed N      repeats the order of the kills, not their exact moments (default: a new one)
EOT
}

minutes=5 seed=$RANDOM identity=
while [ $# -gt 0 ]; do
  case $1 in
    --minutes) shift; minutes=${1-}; [[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage "--minutes takes a number" ;;
    --identity) shift; identity=${1-}; [[ $identity =~ ^[1-9][0-9]{0,5}$ ]] || usage "--identity takes a number" ;;
    --seed) shift; seed=${1-}; [[ $seed =~ ^[0-9]{1,9}$ ]] || usage "--seed takes a number" ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done

need_build_tools
need flock "install it (apt-get install util-linux)"
build src/Sidecar/Sidecar.csproj Debug
if [ -n "$identity" ]; then
  need sqlite3 "install it (apt-get install sqlite3)"
  build tests/Soak/Soak.csproj Debug
  say "killing $identity syncs, seed $seed"
  exec "$root/artifacts/bin/Soak/debug/Soak" identity "$identity" "$seed"
fi
build src/Hub/Hub.csproj Debug
build tests/Soak/Soak.csproj Debug
say "killing for $minutes minutes, seed $seed"
"$root/artifacts/bin/Soak/debug/Soak" "$minutes" "$seed"
