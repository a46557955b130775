#!/usr/bin/env bash
# Builds the Debian packages of both programs.
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"

help() {
  cat <<'EOT'
usage: scripts/deb.sh [--version V] [--output DIR] [--native] [--programs DIR] [--sign KEY] [--help]

Publishes both programs and writes artifacts/deb/fleet-sidecar_VERSION_ARCH.deb and fleet-hub_VERSION_ARCH.deb, for
amd64 and arm64 as far as the runtime packs restore here. The same sources, SDK and debhelper give the same bytes,
wherever the checkout lies. SHA256SUMS beside them names what was built. Needs no root. With XZ_LEVEL=1 in the environment the packages are made sooner and larger.

  --version V   instead of the version in Directory.Build.props
  --output DIR  instead of artifacts/deb
  --native      for this machine's architecture alone
  --programs DIR  what scripts/publish.sh made for this machine, in place of publishing again; the packages' version may then
                differ from what the programs say of themselves
  --sign KEY    a key of gpg(1): SHA256SUMS.asc is the signature of SHA256SUMS by it, for 'gpg --verify SHA256SUMS.asc'

Example: scripts/deb.sh --version 0.1.1 --output artifacts/deb/next
EOT
}

version='' out=$root/artifacts/deb others=true programs='' key=''
while [ $# -gt 0 ]; do
  case $1 in
    --version) shift; version=${1-}; [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || usage "--version takes three numbers, as 0.1.1" ;;
    --output) shift; out=${1-}; [ -n "$out" ] || usage "--output takes a directory" ;;
    --native) others=false ;;
    --programs) shift; programs=${1-}; [ -x "$programs/fleet-hub/fleet-hub" ] || usage "--programs takes a directory with fleet-sidecar and fleet-hub in it" ;;
    --sign) shift; key=${1-}; [ -n "$key" ] || usage "--sign takes the name of a key" ;;
    --help | -h) help; exit 0 ;;
    *) usage "unknown option '$1'" ;;
  esac
  shift
done

need_build_tools
need dpkg-buildpackage "install it (apt-get install dpkg-dev)"
need dh "install it (apt-get install debhelper)"
[ -z "$key" ] || need gpg "install it (apt-get install gpg)"
[ -n "$version" ] || version=$(sed -n 's|.*<VersionPrefix>\(.*\)</VersionPrefix>.*|\1|p' "$root/Directory.Build.props")
mkdir -p "$out"
out=$(realpath "$out")
native=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
cp -r "$root/packaging/deb/debian" "$work/debian"
sed -i "1s/(.*)/($version)/" "$work/debian/changelog"
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l"$work/debian/changelog" -STimestamp)
export SOURCE_DATE_EPOCH

rid_of() { case $1 in amd64) echo linux-x64 ;; arm64) echo linux-arm64 ;; esac; }

# What the programs say about themselves is written by the one that runs on this machine.
describe() { # directory with the programs
  local name shell day
  day=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
  mkdir -p "$work/man" "$work/completion"
  for name in fleet-sidecar fleet-hub; do
    "$1/$name/$name" man --date "$day" >"$work/man/$name.1"
    for shell in bash zsh fish; do "$1/$name/$name" completion $shell >"$work/completion/$name.$shell"; done
  done
  "$1/fleet-sidecar/fleet-sidecar" man --configuration "$root/docs/configuration.md" --date "$day" >"$work/man/fleet-sidecar.json.5"
}

# What the runtime brings of others, as its makers list it: beside the pack it came from, otherwise beside the SDK.
notices() { # directory with the programs, rid
  local version
  version=$(sed -n '/"Microsoft.NETCore.App"/,/}/s/.*"version": "\(.*\)".*/\1/p' "$1"/fleet-hub/fleet-hub.runtimeconfig.json)
  cat "${NUGET_PACKAGES:-$HOME/.nuget/packages}/microsoft.netcore.app.runtime.$2/$version/THIRD-PARTY-NOTICES.TXT" 2>/dev/null ||
    cat "$(dirname "$(readlink -f "$(command -v dotnet)")")/ThirdPartyNotices.txt"
}

package() { # architecture
  local tree=$work/$1/fleet-sidecar-$version
  mkdir -p "$tree"
  cp -r "$work/debian" "$root/packaging/systemd" "$work/man" "$work/completion" "$tree/"
  notices "$work/publish-$1" "$(rid_of "$1")" >"$tree/THIRD-PARTY-NOTICES"
  mv "$work/publish-$1" "$tree/publish"
  # What libraries another architecture's programs need cannot be looked up here; the runtime needs the same ones everywhere.
  if [ "$1" != "$native" ]; then cp "$work/$native/depends" "$tree/debian/depends"; fi
  (cd "$tree" && dpkg-buildpackage -b -us -uc -tc -d ${2:+"$2"}) >"$work/$1.log" 2>&1 || { tail -n 40 "$work/$1.log" >&2; die "building the packages for $1 failed"; }
  mv "$work/$1"/*.deb "$out/"
}

for architecture in "$native" $($others && printf '%s\n' amd64 arm64 | grep -vx "$native"); do
  code=0
  if [ "$architecture" = "$native" ] && [ -n "$programs" ]; then
    mkdir -p "$work/publish-$native"
    cp -r "$programs/fleet-sidecar" "$programs/fleet-hub" "$work/publish-$native/"
  else
    say "publishing for $architecture"
    "$root/scripts/publish.sh" --version "$version" --output "$work/publish-$architecture" --rid "$(rid_of "$architecture")" >"$work/said" || code=$?
  fi
  if [ "$code" = 69 ] && [ "$architecture" != "$native" ]; then
    say "no packages for $architecture: $(tail -n 1 "$work/said")"
    continue
  fi
  [ "$code" = 0 ] || { cat "$work/said" >&2; exit "$code"; }
  if [ "$architecture" = "$native" ]; then describe "$work/publish-$architecture"; fi
  say "packing for $architecture"
  if [ "$architecture" = "$native" ]; then package "$architecture"; else package "$architecture" "-a$architecture"; fi
  for name in fleet-sidecar fleet-hub; do
    deb=$out/${name}_${version}_$architecture.deb
    say "${deb#"$root"/}   $(du -m "$deb" | cut -f 1) MiB"
  done
done

# Of exactly these packages; a signature of others would say nothing.
(cd "$out" && sha256sum -- *_"$version"_*.deb >SHA256SUMS)
rm -f "$out/SHA256SUMS.asc"
[ -z "$key" ] || gpg --batch --yes --quiet --local-user "$key" --armor --detach-sign --output "$out/SHA256SUMS.asc" "$out/SHA256SUMS"
