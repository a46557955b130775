#!/usr/bin/env bash
# Runs the main job with the published programs (scripts/publish.sh) while no .NET can be found.
set -euo pipefail
. "$(dirname "$0")/common.sh"
[ -x "$root/artifacts/publish/fleet-hub/fleet-hub" ] || "$root/scripts/publish.sh"

# Without DOTNET_ROOT, without dotnet on the PATH, and with the place where an installed runtime is looked up pointed elsewhere.
plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
for tool in git sh bash cat mkdir rm mktemp sed grep seq sleep tail basename dirname uname env kill ls; do ln -s "$(command -v $tool)" "$plain/$tool"; done
run() { env -i HOME="$plain" PATH="$plain" DOTNET_ROOT=/nonexistent DOTNET_ROOT_X64=/nonexistent "$@"; }
run sh -c '! command -v dotnet' >/dev/null || die "dotnet is still on the PATH"
run "$root/artifacts/publish/fleet-sidecar/fleet-sidecar" --version
run "$root/artifacts/publish/fleet-hub/fleet-hub" --version
run FLEET_DEMO_PROGRAMS="$root/artifacts/publish" "$root/scripts/demo.sh"

# And with the SQLite that they bring, where the system has none: in a view of the file system of its own.
library=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | awk '$1 == "libsqlite3.so.0" && !found { print $NF; found = 1 }')
if [ -n "$library" ] && unshare --mount true 2>/dev/null; then
  run FLEET_DEMO_PROGRAMS="$root/artifacts/publish" "$(command -v unshare)" --mount "$(command -v bash)" -c \
    '"$1" --bind /dev/null "$2" && exec "$3"' - "$(command -v mount)" "$(readlink -f "$library")" "$root/scripts/demo.sh"
else
  say "not tried: the SQLite that the programs bring, because the system's cannot be hidden here"
fi
