#!/usr/bin/env bash
# Publishes both programs so that they run on a machine without .NET.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"
. "$(dirname "$0")/lib/locks.sh"

help() {
  cat <<'EOT'
usage: scripts/publish.sh [--version V] [--output DIR] [--rid RID] [--with-runtime] [--update-locks] [--help]

Writes artifacts/publish/fleet-sidecar/fleet-sidecar and artifacts/publish/fleet-hub/fleet-hub, self-contained for
this machine's architecture. The sidecar is published as Native AOT where the compiler package restores and there is a
linker (gcc or clang; for the other architecture clang with its cross libraries), otherwise with the runtime beside it;
the last lines say which was built.

  --version V   instead of the version in Directory.Build.props
  --output DIR  instead of artifacts/publish; deb.sh uses it
  --rid RID     linux-x64 or linux-arm64, instead of this machine's; exit code 69 where its packs do not restore
  --with-runtime also build the sidecar with the runtime into artifacts/publish/with-runtime: for measuring
  --update-locks write eng/locks for both architectures and build nothing; for use after a package or the SDK has changed

What goes into a published program is locked: each package and each part of the runtime has its version and its SHA-512 in
eng/locks. One that is not in there, or differs, ends the build with exit code 1 before any of it has run.
EOT
}

both=false update=false version='' out=$root/artifacts/publish
case $(uname -m) in x86_64) rid=linux-x64 ;; aarch64) rid=linux-arm64 ;; *) rid='' ;; esac
while [ $# -gt 0 ]; do
  case $1 in
    --with-runtime) both=true ;;
    --update-locks) update=true ;;
    --version) shift; version=${1-}; [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || usage "--version takes three numbers, as 0.1.1" ;;
    --output) shift; out=${1-}; [ -n "$out" ] || usage "--output takes a directory" ;;
    --rid) shift; rid=${1-}; [[ $rid =~ ^linux-(x64|arm64)$ ]] || usage "--rid takes linux-x64 or linux-arm64" ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done

need_build_tools
[ -n "$rid" ] || die "no build for $(uname -m)"
out=$(realpath -m "$out")
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runtime identifiers and AOT stay out of the project files: a plain restore must work where their packs are not served.
declare -A kind=([aot]=-p:PublishAot=true [readytorun]=-p:PublishReadyToRun=true [runtime]=-p:PublishAot=false)
publish() { # project kind directory
  rm -rf "$3"
  restore_locked "$1" "$rid" "$2" "${kind[$2]}" >"$log" 2>&1 &&
    dotnet publish "$root/$1" -c Release -r "$rid" --self-contained --no-restore -o "$3" --nologo -v quiet \
      -p:FleetPublish=true -p:DebugType=none ${version:+-p:Version=$version} "${kind[$2]}" >"$log" 2>&1 || return 1

  # Tracing by LTTng and core dumps by the runtime: never used here, and the first costs a part of every start.
  rm -f "$3"/libcoreclrtraceptprovider.so "$3"/createdump "$3"/*.xml "$3"/*.dbg
}
unserved() { grep -qE 'NU1101|NU1102|NU1103|NETSDK1094|NETSDK1207|^there are no lock files' "$log"; }
must() {
  publish "$@" && return
  if unserved; then grep -m 1 '^there are no lock files' "$log" || say "the packs of $rid do not restore here"; exit 69; fi
  cat "$log" >&2
  die "publishing $1 failed"
}

if $update; then
  update_locks
  exit 0
fi

# Native AOT links with the C compiler of the architecture that it builds for; only clang links for another one.
linker=none
case $rid:$(uname -m) in
  linux-x64:x86_64 | linux-arm64:aarch64) linker=$(command -v clang || command -v gcc || echo none) ;;
  linux-arm64:x86_64) if command -v clang >/dev/null && command -v aarch64-linux-gnu-ld >/dev/null && [ -e /usr/aarch64-linux-gnu/lib/crt1.o ]; then linker=clang; fi ;;
esac
if [ "$linker" = none ]; then
  why="there is no C compiler for $rid here"
elif publish src/Sidecar/Sidecar.csproj aot "$out/fleet-sidecar"; then
  flavour="Native AOT" why=''
elif unserved; then
  why=$(grep -m 1 '^there are no lock files' "$log" || echo "the Native AOT compiler package does not restore here")
else
  cat "$log" >&2
  die "publishing src/Sidecar failed"
fi
if [ -n "$why" ]; then
  must src/Sidecar/Sidecar.csproj runtime "$out/fleet-sidecar"
  flavour="with the runtime ($why)"
fi
# The hub is compiled ahead of its start as well (48 to 34 hundredths of a second of processor time until it listens).
if ! publish src/Hub/Hub.csproj readytorun "$out/fleet-hub"; then
  if ! unserved; then cat "$log" >&2; die "publishing src/Hub failed"; fi
  must src/Hub/Hub.csproj runtime "$out/fleet-hub"
fi
if $both; then must src/Sidecar/Sidecar.csproj runtime "$out/with-runtime"; fi

size() { du -sm "$1" | cut -f 1; }
shown=${out#"$root"/}
say "$shown/fleet-sidecar/fleet-sidecar   $flavour, $(size "$out/fleet-sidecar") MiB"
say "$shown/fleet-hub/fleet-hub           with the runtime, $(size "$out/fleet-hub") MiB"
if $both; then say "$shown/with-runtime/fleet-sidecar    with the runtime, for measuring, $(size "$out/with-runtime") MiB"; fi
