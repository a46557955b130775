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
  local project=$1 rid=$2 name
  name=$(lock_name "$2" "$3")
  shift 3
  [ -d "$locks/$name" ] || { say "there are no lock files for $name in eng/locks; scripts/publish.sh --update-locks writes them"; return 1; }
  dotnet restore "$root/$project" -r "$rid" -p:SelfContained=true --force --nologo -v quiet \
    -p:FleetPublish=true -p:FleetLocks="$name" "$@" || return 1
  used_packs "$project" | while read -r pack; do
    grep -qxF "$pack" "$packs" && continue
    say "$pack is not in eng/locks/packs; after a change of the SDK scripts/publish.sh --update-locks writes it, otherwise the package is not the one that was reviewed"
    return 1
  done
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

# Asks the source for everything anew and writes down what it gave: a person looks at the difference before it is committed.
update_locks() {
  local rid name kept line
  kept=$(mktemp)
  for rid in linux-x64 linux-arm64; do
    for line in "Sidecar aot" "Sidecar runtime" "Hub readytorun" "Hub runtime"; do
      set -- $line
      name=$(lock_name "$rid" "$2")
      rm -f "$locks/$name/$1.json"
      if ! dotnet restore "$root/src/$1/$1.csproj" -r "$rid" -p:SelfContained=true --nologo -v quiet -p:FleetPublish=true \
        -p:FleetUpdateLocks=true -p:FleetLocks="$name" "${kind[$2]}" --force-evaluate >"$log" 2>&1; then
        cat "$log" >&2
        say "no lock files for $name: its packs do not restore here"
        rm -rf "${locks:?}/$name"
        continue
      fi
      used_packs "src/$1/$1.csproj" >>"$kept"
    done
  done
  # What only another kind of machine takes stays, as long as it is of this version.
  [ ! -e "$packs" ] || awk 'NR == FNR { version[$2]; next } $2 in version' "$kept" "$packs" >>"$kept.old"
  cat "$kept" "$kept.old" 2>/dev/null | LC_ALL=C sort -u >"$packs.new"
  rm -f "$kept" "$kept.old"
  mv "$packs.new" "$packs"
  say "eng/locks is written; look at 'git diff eng/locks' before you commit it"
}
