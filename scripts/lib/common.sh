# Shared by the scripts beside it: where things are, and how to say what is missing. Sourced, never run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
usage() { printf '%s: %s; see %s --help\n' "$(basename "$0")" "$1" "$0" >&2; exit 64; }
need() { command -v "$1" >/dev/null || die "$1 is missing; $2"; }

need_build_tools() {
  need git "install it (apt-get install git)"
  need dotnet "install the .NET SDK 10 (https://learn.microsoft.com/dotnet/core/install/linux)"
  dotnet --list-sdks | grep -q '^10\.' || die ".NET SDK 10 is missing; 'dotnet --list-sdks' shows what there is"
}

# Boots a machine of the lab that finds the packages in /deb and is gone when the script ends; x runs a command on it as root.
boot_lab() { # name
  export LAB_NAME=$1 LAB_BIND="$root/artifacts/deb:/deb:ro"
  lab=$root/scripts/lab.sh
  compgen -G "$root/artifacts/deb/fleet-sidecar_*.deb" >/dev/null || die "there are no packages; run scripts/deb.sh first"
  "$lab" check || die "no real systemd can be booted here"
  "$lab" up
  trap '"$lab" down' EXIT
}
x() { "$lab" exec "$@"; }

# Builds one project quietly; the whole output only where it fails.
build() { # project configuration
  local log
  log=$(mktemp)
  if ! dotnet build "$root/$1" -c "$2" --nologo -v quiet >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die "the build of $1 failed"
  fi
  rm -f "$log"
}
