#!/usr/bin/env bash
# Builds everything and runs every test. Last line: N passed, N failed, N skipped.
set -uo pipefail
. "$(dirname "$0")/lib/common.sh"

help() {
  cat <<'EOT'
usage: scripts/test.sh [--quick] [--configuration NAME] [--help]

Builds the solution and runs every test on the built programs. The last line is "N passed, N failed, N skipped";
exit code 0 only if something passed and nothing failed. Needs git, sqlite3 and the .NET SDK 10. With
FLEET_REAL_AGENTS=1 the agent programs on the PATH (claude, codex, gemini, opencode, openclaw) are tested too, against
a model provider of the tests' own that costs nothing; a program that is missing is a skip. The packages are tried
under a real systemd, which needs root; without it these tests are skips too.

  --quick                test the programs as they were built, not as they are published; leave out the packages and the
                         random kills
  --configuration NAME   Debug (default) or Release
EOT
}

configuration=Debug quick=false
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=true ;;
    --configuration) shift; configuration=${1-} ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done
case $configuration in Debug | Release) ;; *) usage "--configuration takes Debug or Release" ;; esac

# A fresh machine may lack what only the tests use; a package manager that is there is asked once.
want() { # command package
  command -v "$1" >/dev/null && return
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null 2>&1
  fi
  command -v "$1" >/dev/null || die "$1 is missing; install it (apt-get install $2)"
}
want git git
want sqlite3 sqlite3
want ps procps
need_build_tools
# The packages and their lab; what stays missing is a skip with its reason.
if ! $quick && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  missing=()
  for pair in mmdebstrap:mmdebstrap dh:debhelper lintian:lintian dpkg-buildpackage:dpkg-dev unshare:util-linux groff:groff zsh:zsh fish:fish; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null 2>&1 || say "could not install all of: ${missing[*]}"
  fi
fi

cd "$root" || exit 1
dotnet build FleetSidecar.sln -c "$configuration" --nologo -v quiet || { say "the build failed"; say "0 passed, 1 failed, 0 skipped"; exit 1; }

passed=0 failed=0 skipped=0
count() { # passed failed skipped
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

clock() { printf '%d:%02d' $((SECONDS / 60)) $((SECONDS % 60)); }

explicit=()
[ "${FLEET_REAL_AGENTS-}" = 1 ] && explicit=(-explicit on)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
run_tests() { # project options...
  local project=$1 code summary total errors bad skip unasked
  shift
  say "== $project ($(clock))"
  "artifacts/bin/$project/${configuration,,}/$project" -noColor -noLogo ${explicit[@]+"${explicit[@]}"} "$@" </dev/null >"$log" 2>&1
  code=$?
  grep -vE '^  (Discovering|Discovered|Starting|Finished):|^=== ' "$log"
  summary=$(grep -oE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+, Not Run: [0-9]+' "$log" | tail -n 1)
  if [ -z "$summary" ]; then
    say "$project ended with exit code $code before its summary"
    count 0 1 0
    return
  fi
  read -r total errors bad skip unasked <<<"$(printf '%s' "$summary" | tr -cd '0-9 ' | tr -s ' ')"
  count $((total - bad - skip - unasked)) $((bad + errors)) "$skip"
}
for project in Sidecar.Protocol.Tests Sidecar.Tests Hub.Tests; do run_tests $project; done

# What is shipped is what is tested from outside: the published programs, and with --quick those that were just built.
if $quick; then unset FLEET_TEST_SIDECAR FLEET_TEST_HUB; else
  say "publishing the programs"
  scripts/publish.sh </dev/null >"$log" 2>&1 || { cat "$log"; say "publishing failed"; say "$passed passed, $((failed + 1)) failed, $skipped skipped"; exit 1; }
  cat "$log"
  export FLEET_TEST_SIDECAR=$root/artifacts/publish/fleet-sidecar/fleet-sidecar
  export FLEET_TEST_HUB=$root/artifacts/publish/fleet-hub/fleet-hub
fi
run_tests EndToEnd.Tests -maxThreads 4 # They wait more than they work.

script_test() { # name command...
  local name=$1
  shift
  say "== $name ($(clock))"
  if "$@" </dev/null >"$log" 2>&1; then count 1 0 0; else cat "$log"; say "FAILED: $name"; count 0 1 0; fi
}
script_test "the demo works as the README prints it" scripts/demo.sh
script_test "the demo of the identity-safe sync ends with both identities whole" scripts/demo.sh --sync
if $quick; then
  say "skipped with --quick: the packages, and everything under a real systemd"
  say "skipped with --quick: the published programs on a machine without .NET"
  say "skipped with --quick: an agent's hostile acts"
  say "skipped with --quick: a minute of random kills"
  say "skipped with --quick: 100 random kills of a sync"
  count 0 0 5
else
  if command -v dh >/dev/null && command -v dpkg-buildpackage >/dev/null; then
    # The second version is what upgrades are tried with.
    export XZ_LEVEL=1
    script_test "the packages are built" scripts/deb.sh --programs artifacts/publish
    script_test "a later version of the packages is built" scripts/deb.sh --native --version 0.1.1 --output artifacts/deb/next
    script_test "another checkout gives the same packages, byte for byte" scripts/lib/deb-test.sh
    unset XZ_LEVEL
  else
    say "skipped: the packages, because debhelper or dpkg-dev is missing"
    count 0 0 3
  fi
  # The machines' file system is made before a test's clock runs.
  if scripts/lab.sh check >/dev/null 2>&1; then
    say "making the lab's file system, where there is none yet"
    scripts/lab.sh build >"$log" 2>&1 || cat "$log"
  fi
  run_tests Lab.Tests -maxThreads 3
  if scripts/lab.sh check >/dev/null 2>&1 && compgen -G "artifacts/deb/fleet-sidecar_*.deb" >/dev/null; then
    script_test "an agent's hostile acts reach nothing" scripts/lab-hostile.sh
  else
    say "skipped: hostile acts, because no lab can be booted here or there are no packages"
    count 0 0 1
  fi
  script_test "the published programs run without .NET" scripts/lib/publish-test.sh
  script_test "a minute of random kills loses nothing and repeats nothing" scripts/soak.sh --minutes 1
  script_test "100 random kills of a sync never cost an identity" scripts/soak.sh --identity 100
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
