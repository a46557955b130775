# Restores what a publish needs, with nothing in it that eng/locks does not name. Sourced, never run.
#
# NuGet's own lock files hold packages, for each runtime and kind of program. Parts of the runtime, the compilers among them,
# are in no lock file of NuGet's: eng/locks/packs has a line for each, name, version and SHA-512 of the package.
locks=$root/eng/locks
packs=$locks/packs

# Building on another machine than x86_64 takes other compilers, which have lock files of their own.
lock_name() { # rid kind
  local from=''
  [ "$(uname -m)" = x86_64 ] || from=-from-$(uname -m)
  printf '%s-%s%s' "$1" "$2" "$from"
}

restore_locked() { # project rid kind options...
  local project=$1 name
  name=$(lock_name "$2" "$3")
  [ -d "$locks/$name" ] || { say "there are no lock files for $name in eng/locks; scripts/publish.sh --update-locks writes them"; return 1; }
  if ! locked_restore "$project" "$2" "$name" --force "${@:4}"; then
    say "NU1004 and NU1403 mean that this SDK ($(dotnet --version)) or a package differs from eng/locks; scripts/publish.sh --update-locks writes the locks again"
    return 1
  fi
  used_packs "$project" | while read -r pack; do
    grep -qxF "$pack" "$packs" && continue
    say "$pack is not in eng/locks/packs; after a change of the SDK (this one is $(dotnet --version)) scripts/publish.sh --update-locks writes it, otherwise the package is not the one that was reviewed"
    return 1
  done
}
locked_restore() { # project rid locks options...
  dotnet restore "$root/$1" -r "$2" -p:SelfContained=true --nologo -v quiet -p:FleetPublish=true -p:FleetLocks="$3" "${@:4}"
}

# What the last restore of a project took beside its packages: name, version, SHA-512.
used_packs() { # project
  local folder=${NUGET_PACKAGES:-$HOME/.nuget/packages} name version hash
  awk -F'"' '/"downloadDependencies"/ { inside = 1 } inside && $2 == "name" { name = $4 }
      inside && $2 == "version" { split($4, range, /[][, ]+/); print name, range[2] } inside && /^ *\],?$/ { inside = 0 }' \
    "$root/artifacts/publish-work/obj/$(basename "$1" .csproj)/project.assets.json" |
    while read -r name version; do
      hash=$(sed -n 's/.*"contentHash": "\(.*\)".*/\1/p' "$folder/${name,,}/$version/.nupkg.metadata")
      printf '%s %s %s\n' "$name" "$version" "${hash:-unknown}"
    done
}

# Restores every kind of program without locks and writes what the source gave to eng/locks; a person reviews the difference. A kind that
# the source does not serve keeps its locks. Any other fault changes nothing.
update_locks() {
  local rid name line fresh=$root/artifacts/locks
  rm -rf "$fresh"
  mkdir -p "$fresh"
  for rid in linux-x64 linux-arm64; do
    for line in "Sidecar aot" "Sidecar runtime" "Hub readytorun" "Hub runtime"; do
      set -- $line
      name=$(lock_name "$rid" "$2")
      if locked_restore "src/$1/$1.csproj" "$rid" "../../artifacts/locks/$name" -p:FleetUpdateLocks=true "${kind[$2]}" --force-evaluate >"$log" 2>&1; then
        used_packs "src/$1/$1.csproj" >>"$fresh/packs"
      elif unserved; then
        say "no new lock files for $1 in $name: its packs do not restore here"
        rm -f "$fresh/$name/$1.json"
      else
        cat "$log" >&2
        die "the packages of $1 for $name do not restore; eng/locks is as it was"
      fi
    done
  done
  [ -s "$fresh/packs" ] || die "the source serves none of the packs; eng/locks is as it was"

  # What only another kind of machine takes stays, as long as it is of this version.
  [ ! -e "$packs" ] || awk 'NR == FNR { name[$1]; version[$2]; next } !($1 in name) && $2 in version' "$fresh/packs" "$packs" >"$fresh/others"
  mkdir -p "$locks"
  cat "$fresh/packs" "$fresh/others" 2>/dev/null | LC_ALL=C sort -u >"$packs.new"
  mv "$packs.new" "$packs"
  for name in "$fresh"/*/; do
    mkdir -p "$locks/$(basename "$name")"
    cp "$name"*.json "$locks/$(basename "$name")/"
  done
  rm -rf "$fresh"
  say "eng/locks is written; look at 'git diff eng/locks' before you commit it"
}
