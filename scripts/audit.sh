#!/usr/bin/env bash
# Asks for known vulnerabilities in every package that the solution restores.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

help() {
  cat <<'EOT'
usage: scripts/audit.sh [--source URL] [--help]

Asks the package source whether any package of the solution, direct or not, has an advisory, whatever its severity.
Exit codes: 0 none has, 1 one has (each is printed, with its link), 69 the source does not tell, 70 it could not be asked.

  --source URL  the index of a source that has advisories, instead of the one that packages come from

Not asked here: the runtime that a published program brings (eng/locks/packs), because its advisories come with the SDK's
releases; and SQLite, OpenSSL and git of the system, because its own updates bring them.

Example: scripts/audit.sh --source https://packages.example/v3/index.json
EOT
}

source=''
while [ $# -gt 0 ]; do
  case $1 in
    --source) shift; source=${1-}; [[ $source =~ ^https?://[^\<\>\"\&]+$ ]] || usage "--source takes an address" ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done

need_build_tools
fault() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 70; }
packages=$(cd "$root" && dotnet nuget list source | awk '/ nuget\.org \[Enabled\]/ { getline; print $1 }') || :
[[ $packages =~ ^https?:// ]] || fault "there is no package source nuget.org; 'dotnet nuget list source' shows what there is"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
entry() { printf '<add key="%s" value="%s" protocolVersion="3" allowInsecureConnections="true" />' "$1" "$2"; }
cat >"$work/nuget.config" <<EOT
<configuration>
  <packageSources><clear />$(entry packages "$packages")</packageSources>
  <auditSources><clear />$(entry audit "${source:-$packages}")</auditSources>
</configuration>
EOT

# Where a source has no advisories NuGet says NU1905; without an audit source of its own it would be silent.
code=0
dotnet restore "$root/FleetSidecar.sln" --nologo -v minimal --force -p:RestoreConfigFile="$work/nuget.config" -p:FleetWork=audit-work \
  -p:RestoreLockedMode=true -p:NuGetAudit=true -p:NuGetAuditMode=all -p:NuGetAuditLevel=low >"$work/log" 2>&1 || code=$?
if grep -qE 'NU1900|NU1905' "$work/log"; then
  grep -hoE 'NU190[05]: .*' "$work/log" | sort -u | head -n 1
  say "nothing is known: ${source:-$packages} gives no advisories; --source names one that does"
  exit 69
fi
if grep -qE 'NU190[1-4]' "$work/log"; then
  grep -hoE 'NU190[1-4]: .*' "$work/log" | sed 's/ \[.*//; s/^NU190[1-4]: //' | sort -u
  exit 1
fi
[ "$code" = 0 ] || { cat "$work/log" >&2; fault "the packages do not restore"; }
say "no package of the solution has a known vulnerability"
