#!/usr/bin/env bash
# Builds the packages once more from a copy of the sources that lies elsewhere, and compares them with those in artifacts/deb.
set -euo pipefail
. "$(dirname "$0")/common.sh"
other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT
(cd "$root" && git ls-files --cached --others --exclude-standard -z | tar --create --null --ignore-failed-read --files-from=-) | tar --extract --directory "$other"
"$other/scripts/deb.sh" --native
for package in "$other"/artifacts/deb/*.deb; do
  cmp "$package" "$root/artifacts/deb/$(basename "$package")"
  say "$(basename "$package"): the same"
done
