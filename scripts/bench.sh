#!/usr/bin/env bash
# Measures every figure of benchmarks/README.md again, with the machine's own floor in the same run.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

help() {
  cat <<'EOT'
usage: scripts/bench.sh [--idle SECONDS] [--starts] [--workspace] [--lab] [--help]

Publishes the programs, then prints a table: what the machine costs (fdatasync, posix_spawn), hub push until the
agent's first instruction, start until identified, idle memory and CPU, durable accepts a second, a workspace. Takes about five
minutes. Needs a C compiler for the benchmark's agent.

  --idle SECONDS   how long to watch an idle sidecar (default 60)
  --starts         only the floor and the time from start until identified
  --workspace      only a workspace of 100,000 objects next to a fresh clone
  --lab            only the figures under a real systemd, with the packages of scripts/deb.sh; needs root
EOT
}

idle=60
while [ $# -gt 0 ]; do
  case $1 in
    --idle) shift; idle=${1-}; [[ $idle =~ ^[1-9][0-9]*$ ]] || usage "--idle takes a number of seconds" ;;
    --starts) idle=-1 ;;
    --workspace) idle=-2 ;;
    --lab) exec "$root/scripts/lib/bench-lab.sh" ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done

need_build_tools
need cc "install a C compiler (apt-get install gcc libc6-dev)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -static -o "$work/stamp" "$root/benchmarks/stamp.c"
[ "$idle" = -2 ] || "$root/scripts/publish.sh" --with-runtime >&2
build benchmarks/Bench/Bench.csproj Release
programs=("published=$root/artifacts/publish/fleet-sidecar/fleet-sidecar")
if [ -x "$root/artifacts/publish/with-runtime/fleet-sidecar" ]; then programs+=("with the runtime=$root/artifacts/publish/with-runtime/fleet-sidecar"); fi
"$root/artifacts/bin/Bench/release/Bench" "$work/stamp" "$idle" "${programs[@]}"
