#!/usr/bin/env bash
# Builds the packages once more from a copy of the sources that lies elsewhere, and compares them with those in artifacts/deb.
set -euo pipefail
. "$(dirname "$0")/common.sh"
other=$(mktemp -d)
trap 'rm -rf "$other"' EXIT
(cd "$root" && git ls-files --cached --others --exclude-standard -z | tar --create --null --ignore-failed-read --files-from=-) | tar --extract --directory "$other"
# Signed by a key of its own, that nobody else knows.
GNUPGHOME=$other/keys
export GNUPGHOME
key=()
if command -v gpg >/dev/null; then
  mkdir -m 700 "$GNUPGHOME"
  gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'Packages of a test' ed25519 sign 1d
  key=(--sign 'Packages of a test')
fi
"$other/scripts/deb.sh" --native "${key[@]}"
for package in "$other"/artifacts/deb/*.deb; do
  cmp "$package" "$root/artifacts/deb/$(basename "$package")"
  say "$(basename "$package"): the same"
done
(cd "$other/artifacts/deb" && sha256sum --check --quiet --strict SHA256SUMS)
if [ ${#key[@]} -gt 0 ]; then
  gpg --quiet --verify "$other/artifacts/deb/SHA256SUMS.asc" "$other/artifacts/deb/SHA256SUMS" 2>/dev/null
  echo >>"$other/artifacts/deb/SHA256SUMS"
  if gpg --quiet --verify "$other/artifacts/deb/SHA256SUMS.asc" "$other/artifacts/deb/SHA256SUMS" 2>/dev/null; then die "a changed list of sums still has a good signature"; fi
  gpgconf --kill all
  say "SHA256SUMS: signed, and no other content is"
fi
