#!/bin/bash
# Boots a real systemd as PID 1 in namespaces of its own, on a machine whose own PID 1 may be anything.
# Needs: root, bash, util-linux (unshare, nsenter, mount, pivot_root), and mmdebstrap (or debootstrap) for the first
# build. No container engine, no virtual machine, no image registry.
#
#   scripts/lab.sh check            say what this machine lacks for a lab; exit code 0 if nothing
#   scripts/lab.sh build            make (or reuse) the cached root file system
#   scripts/lab.sh up               boot a pristine copy (overlay on tmpfs)
#   scripts/lab.sh exec CMD...      run CMD inside as root (stdin/out/err kept)
#   scripts/lab.sh net CMD...       run a program of the host in the lab's network namespace
#   scripts/lab.sh root             path of the lab's / as seen from the host
#   scripts/lab.sh status           up/down, PID, cgroup mode, root path
#   scripts/lab.sh down             orderly shutdown, then remove every trace
#   scripts/lab.sh crash            end the lab as a power cut would, then remove every trace
#   scripts/lab.sh purge            down, and delete the cached root file system
#
# Example: the packages, tried by hand
#   scripts/deb.sh && LAB_BIND="$PWD/artifacts/deb:/deb:ro" scripts/lab.sh up
#   scripts/lab.sh exec sh -c 'apt-get install -y /deb/*_$(dpkg --print-architecture).deb'; scripts/lab.sh exec; scripts/lab.sh down
#
# Environment (all optional)
#   LAB_DIR       cache directory            /var/cache/fleet-lab
#   LAB_NAME      instance name              lab   (instances run in parallel)
#   LAB_SUITE     Debian suite               bookworm
#   LAB_PACKAGES  extra packages to bake in  "" (space or comma separated)
#   LAB_SOURCES   apt source for the build   the host's own, see find_sources
#   LAB_BIND      "host:inside[:ro] ..."     bind mounts for up
#   LAB_CGROUP    auto | hybrid | unified    auto
#   LAB_NET       private | host             private (own netns, lo only)
#   LAB_SIZE      size of the tmpfs overlay  4G
#   LAB_PERSIST   directory that keeps what the lab writes from one up to the next
#                 ("" = forgotten at down); down + up with it is a reboot
#   LAB_TIMEOUT   seconds up waits for boot  60
#   LAB_HALT      seconds down waits for an orderly halt before it kills  20
#   LAB_STATE     runtime state directory    /run/fleet-lab
set -euo pipefail
umask 022

SELF=$(readlink -f "${BASH_SOURCE[0]}")
LAB_DIR=${LAB_DIR:-/var/cache/fleet-lab}
LAB_NAME=${LAB_NAME:-lab}
LAB_SUITE=${LAB_SUITE:-bookworm}
LAB_PACKAGES=${LAB_PACKAGES:-}
LAB_SOURCES=${LAB_SOURCES:-}
LAB_BIND=${LAB_BIND:-}
LAB_CGROUP=${LAB_CGROUP:-auto}
LAB_NET=${LAB_NET:-private}
LAB_SIZE=${LAB_SIZE:-4G}
LAB_PERSIST=${LAB_PERSIST:-}
LAB_TIMEOUT=${LAB_TIMEOUT:-60}
LAB_HALT=${LAB_HALT:-20}
LAB_STATE=${LAB_STATE:-/run/fleet-lab}

# adduser: maintainer scripts; polkitd: who may start which unit; libssl, zlib1g, libstdc++6, libsqlite3-0: what the
# packages depend on, because apt reaches no mirror from in there; procps, iproute2, tmux, git, sqlite3: what the tests use.
BASE_PACKAGES="systemd systemd-sysv dbus polkitd procps iproute2 adduser ca-certificates
 tmux git curl sqlite3 libsqlite3-0 zlib1g libstdc++6 libgcc-s1"
case $LAB_SUITE in
  bookworm) BASE_PACKAGES+=" libssl3" ;;
  trixie)   BASE_PACKAGES+=" libssl3t64" ;;
esac
# Raise when prepare_rootfs changes: part of the cache key.
RECIPE=2
# Fixed, so that every boot is the same one (and never a "first boot").
MACHINE_ID=1ab01ab01ab01ab01ab01ab01ab01ab0

die() { echo "lab: $*" >&2; exit 1; }
note() { echo "lab: $*" >&2; }

RUN=$LAB_STATE/$LAB_NAME
packages() { echo "$BASE_PACKAGES ${LAB_PACKAGES//,/ }" | tr -s ' \n' '\n' | sed '/^$/d' | sort -u; }
cache_key() { { echo "$RECIPE $LAB_SUITE $(dpkg --print-architecture)"; packages; } | sha256sum | cut -c1-12; }
rootfs() { echo "$LAB_DIR/$LAB_SUITE-$(cache_key)"; }

# ---------------------------------------------------------------- build ----

# The host's own apt configuration says where packages come from.
find_sources() {
  if [ -n "$LAB_SOURCES" ]; then echo "$LAB_SOURCES"; return; fi
  local f
  for f in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -s "$f" ] && grep -qw "$LAB_SUITE" "$f"; then echo "$f"; return; fi
  done
  die "no apt source for $LAB_SUITE found; set LAB_SOURCES to a sources file"
}

prepare_rootfs() { # $1 = root
  local r=$1 u
  echo "$MACHINE_ID" > "$r/etc/machine-id"
  rm -f "$r/var/lib/dbus/machine-id"
  echo lab > "$r/etc/hostname"
  printf '127.0.0.1 localhost lab\n::1 localhost\n' > "$r/etc/hosts"
  rm -f "$r/etc/resolv.conf"; : > "$r/etc/resolv.conf"
  # No network in there: packages come from files, not from a mirror.
  rm -f "$r"/etc/apt/sources.list "$r"/etc/apt/sources.list.d/* "$r"/var/cache/apt/archives/*.deb
  rm -rf "$r"/var/lib/apt/lists/*
  # Nothing that fires by itself while a test is measuring.
  for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
           e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer \
           console-getty.service getty.target systemd-timesyncd.service \
           systemd-networkd.service systemd-networkd.socket systemd-resolved.service \
           systemd-udevd.service systemd-udev-trigger.service \
           systemd-journald-audit.socket systemd-firstboot.service \
           dev-hugepages.mount sys-fs-fuse-connections.mount; do
    ln -sf /dev/null "$r/etc/systemd/system/$u"
  done
  mkdir -p "$r/etc/systemd/journald.conf.d" "$r/etc/systemd/system.conf.d"
  # Volatile journal, and no rate limit: a test must see every line.
  printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nForwardToSyslog=no\n' \
    > "$r/etc/systemd/journald.conf.d/lab.conf"
  printf '[Manager]\nDefaultTimeoutStopSec=20s\n' > "$r/etc/systemd/system.conf.d/lab.conf"
  # What a test installs is unpacked whole, manual pages included.
  rm -f "$r/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
  # Postinst scripts may (re)start services: this is a real init.
  rm -f "$r/usr/sbin/policy-rc.d"
}

cmd_build() {
  local r src pk t0
  r=$(rootfs)
  if [ -e "$r/.lab-ok" ]; then echo "$r"; return; fi
  src=$(find_sources)
  pk=$(packages | paste -sd, -)
  t0=$SECONDS
  mkdir -p "$LAB_DIR"
  exec 9> "$LAB_DIR/.lock"; flock 9
  if [ -e "$r/.lab-ok" ]; then echo "$r"; return; fi
  rm -rf --one-file-system "$r.new" "$r"
  note "building $r (log: $r.log)"
  if command -v mmdebstrap > /dev/null; then
    mmdebstrap --mode=root --variant=minbase --include="$pk" \
      --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' \
      --dpkgopt='path-exclude=/usr/share/doc/*' \
      --dpkgopt='path-include=/usr/share/doc/*/copyright' \
      "$LAB_SUITE" "$r.new" "$src" > "$r.log" 2>&1 || { tail -20 "$r.log" >&2; die "mmdebstrap failed"; }
  elif command -v debootstrap > /dev/null; then
    local uri
    uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' "$src" | head -1)
    debootstrap --variant=minbase --include="$pk" "$LAB_SUITE" "$r.new" "$uri" \
      > "$r.log" 2>&1 || { tail -20 "$r.log" >&2; die "debootstrap failed"; }
  else
    die "install mmdebstrap (or debootstrap) first"
  fi
  prepare_rootfs "$r.new"
  touch "$r.new/.lab-ok"
  mv "$r.new" "$r"; rm -f "$r.log"
  note "built in $((SECONDS - t0)) s, $(du -sm "$r" | cut -f1) MiB"
  exec 9>&-
  echo "$r"
}

# ------------------------------------------------------------------- up ----

lab_pid() { # PID 1 of the lab as the host sees it, or nothing
  local p s
  [ -s "$RUN/pid" ] || return 1
  read -r p s < "$RUN/pid" || return 1
  # The start time guards against a reused PID; a zombie counts as gone.
  [ "$(start_time "$p")" = "$s" ] && echo "$p"
}
start_time() { sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | awk '$1 != "Z" && $1 != "X" { print $20 }'; }

# Where this process sits in hierarchy $1 (v1: name as in /proc/self/cgroup,
# v2: empty string), as a path below that hierarchy's mount point.
own_cgroup() {
  sed -n "s/^[0-9]*:${1//\//\\/}:\\(.*\\)/\\1/p" /proc/self/cgroup | head -1
}

# Prints "KIND MOUNTPOINT DIR CONTROLLERS" for every hierarchy of the host, DIR being
# the lab's own cgroup, below the caller's: the lab is accounted for and
# limited exactly as any other child of the caller would be.
hierarchies() {
  local mnt type opts name own
  while read -r _ mnt type opts _; do
    case $type in
      cgroup2) echo "v2 $mnt $mnt$(slash "$(own_cgroup '')")/fleet-lab-$LAB_NAME -" ;;
      cgroup)
        name=$(sed -n 's/^[0-9]*:\([^:]*\):.*/\1/p' /proc/self/cgroup | while read -r n; do
          first=${n%%,*}
          case ",$opts," in *",$first,"*) echo "$n"; break ;; esac
        done || true)
        [ -n "$name" ] || continue
        own=$(own_cgroup "$name")
        echo "v1 $mnt $mnt$(slash "$own")/fleet-lab-$LAB_NAME $name"
        ;;
    esac
  done < /proc/mounts
}
slash() { [ "$1" = / ] && echo "" || echo "$1"; }

cmd_up() {
  local r p t0 state i sup launch=(setsid)
  if p=$(lab_pid); then note "$LAB_NAME is already up (pid $p)"; return; fi
  r=$(rootfs); [ -e "$r/.lab-ok" ] || r=$(cmd_build)
  cmd_down > /dev/null 2>&1 || true     # clear what a crash left behind
  mkdir -p "$RUN"
  # A host that runs systemd itself: ask it for a cgroup we may subdivide.
  if [ -d /run/systemd/system ] && [ "$(cat /proc/1/comm)" = systemd ]; then
    launch=(systemd-run --quiet --scope --collect -p Delegate=yes --unit "fleet-lab-$LAB_NAME" setsid)
  fi
  t0=$(date +%s%N)
  LAB_NAME=$LAB_NAME LAB_STATE=$LAB_STATE LAB_BIND=$LAB_BIND LAB_CGROUP=$LAB_CGROUP \
  LAB_NET=$LAB_NET LAB_SIZE=$LAB_SIZE LAB_PERSIST=$LAB_PERSIST LAB_ROOTFS=$r LAB_SCOPE=${#launch[@]} \
    "${launch[@]}" /bin/bash "$SELF" __stage0 < /dev/null > "$RUN/console.log" 2>&1 8>&- 9>&- &
  sup=$!; disown "$sup"
  for ((i = 0; i < LAB_TIMEOUT * 20; i++)); do
    if p=$(lab_pid) && [ "$(cat "/proc/$p/comm" 2> /dev/null)" = systemd ] \
       && [ -S "/proc/$p/root/run/systemd/private" ]; then
      state=$(in_lab systemctl is-system-running --wait 2> /dev/null || true)
      case $state in
        running|degraded)
          note "$LAB_NAME: $state, pid $p, cgroup $(cat "$RUN/mode"), $(( ($(date +%s%N) - t0) / 1000000 )) ms"
          if [ "$state" = degraded ]; then in_lab systemctl --failed --no-pager --plain --no-legend >&2; fi
          return 0 ;;
      esac
    fi
    kill -0 "$sup" 2> /dev/null || break
    sleep 0.05
  done
  note "console:"; tail -20 "$RUN/console.log" >&2
  cmd_down || true
  die "$LAB_NAME did not come up"
}

# On the host, in the session that will hold the lab: where its cgroups go.
stage0() {
  local kind mnt dir ctl own c net=()
  hierarchies | awk '!seen[$1 " " $4]++' > "$RUN/cgroups"     # mounted twice: once is enough
  case $LAB_CGROUP in
    hybrid|unified) echo "$LAB_CGROUP" ;;
    *) if grep -q '^v1 .* memory$' "$RUN/cgroups"; then echo hybrid; else echo unified; fi ;;
  esac > "$RUN/mode"
  while read -r kind mnt dir ctl; do
    own=${dir%/*}
    if [ "$kind" = v2 ] && [ "$(cat "$RUN/mode")" = unified ]; then
      # A cgroup with processes cannot hand controllers down (the root can):
      # in a scope of our own, step aside first.
      if [ "$LAB_SCOPE" -gt 1 ] && [ -e "$own/cgroup.type" ]; then
        mkdir -p "$own/supervisor"; echo $$ > "$own/supervisor/cgroup.procs"
      fi
      # shellcheck disable=SC2013
      for c in $(cat "$own/cgroup.controllers"); do
        { echo "+$c" > "$own/cgroup.subtree_control"; } 2> /dev/null || true
      done
    fi
    mkdir -p "$dir"
    if [[ ,$ctl, = *,cpuset,* ]]; then
      cat "$own/cpuset.cpus" > "$dir/cpuset.cpus"; cat "$own/cpuset.mems" > "$dir/cpuset.mems"
    fi
  done < "$RUN/cgroups"
  [ "$LAB_NET" = host ] || net=(--net)
  exec unshare --mount --uts --ipc --pid "${net[@]}" --fork --kill-child \
    --propagation private -- /bin/bash "$SELF" __stage1
}

# PID 1 of the new PID namespace, host's files and cgroups still in view.
stage1() {
  local kind mnt dir ctl root=$RUN/root
  # Via the host's /proc, which the new namespace still sees.
  local hostpid; read -r hostpid _ < /proc/self/stat
  echo "$hostpid $(start_time "$hostpid")" > "$RUN/pid.new"; mv "$RUN/pid.new" "$RUN/pid"
  while read -r kind mnt dir ctl; do echo 0 > "$dir/cgroup.procs"; done < "$RUN/cgroups"

  local top=$LAB_PERSIST
  if [ -z "$top" ]; then
    top=$RUN/top; mkdir -p "$top"
    mount -t tmpfs -o "size=$LAB_SIZE,mode=0755" lab "$top"
  fi
  mkdir -p "$top/upper" "$top/work" "$root"
  mount -t overlay -o "lowerdir=$LAB_ROOTFS,upperdir=$top/upper,workdir=$top/work" lab "$root"
  exec unshare --cgroup -- /bin/bash "$SELF" __stage2
}

stage2() {
  local root=$RUN/root kind mnt dir ctl n b from to ro
  cd "$root"
  # /proc and /sys: own instances, and what is global to the kernel read-only.
  mount -t proc -o nosuid,nodev,noexec proc proc
  for n in sys sysrq-trigger irq bus fs acpi scsi; do
    [ -e "proc/$n" ] || continue
    mount --bind "proc/$n" "proc/$n"; mount -o remount,bind,ro "proc/$n"
  done
  if [ "$LAB_NET" != host ]; then mount --bind proc/sys/net proc/sys/net; mount -o remount,bind,rw proc/sys/net; fi
  mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys

  # cgroups: the namespace's root is the lab's own cgroup in each hierarchy.
  if [ "$(cat "$RUN/mode")" = unified ]; then
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  else
    mount -t tmpfs -o nosuid,nodev,noexec,mode=0755,size=1m tmpfs sys/fs/cgroup
    while read -r kind mnt dir ctl; do
      case $kind in
        v2) mkdir -p sys/fs/cgroup/unified
            mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup/unified ;;
        v1) n=${ctl#name=}; mkdir -p "sys/fs/cgroup/$n"
            mount -t cgroup -o "nosuid,nodev,noexec,$ctl" cgroup "sys/fs/cgroup/$n" ;;
      esac
    done < "$RUN/cgroups"
    [ -d sys/fs/cgroup/systemd ] || {
      mkdir -p sys/fs/cgroup/systemd
      mount -t cgroup -o nosuid,nodev,noexec,none,name=systemd cgroup sys/fs/cgroup/systemd; }
  fi

  mount -t tmpfs -o nosuid,mode=0755,size=1m tmpfs dev
  mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; mknod -m 666 dev/full c 1 7
  mknod -m 666 dev/random c 1 8; mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/tty c 5 0
  mkdir -p dev/pts dev/shm
  mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
  ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
  ln -s /proc/self/fd/0 dev/stdin; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs dev/shm
  mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs run
  mkdir -p run/lock

  for b in $LAB_BIND; do
    IFS=: read -r from to ro <<< "$b"
    if [ -d "$from" ]; then mkdir -p ".$to"; else mkdir -p ".$(dirname "$to")"; [ -e ".$to" ] || : > ".$to"; fi
    mount --rbind "$from" ".$to"
    if [ "$ro" = ro ]; then mount -o remount,bind,ro ".$to"; fi
  done

  hostname lab
  mkdir -p mnt
  # An initramfs cannot be pivoted away from, only mounted over.
  local old=/mnt
  pivot_root . mnt 2> /dev/null || { mount --move . /; old=; }
  # rshared: in a container systemd leaves propagation alone, and without it
  # the mounts made for LoadCredential= never reach the service (empty directory).
  # No module loading, clock setting, raw I/O or reboot of the host from inside.
  # shellcheck disable=SC2016
  exec chroot . /bin/sh -c '{ [ -z "$0" ] || umount -l "$0"; } && mount --make-rshared / && cd / && exec env -i container=lab \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-sys_boot,-syslog,-mac_admin,-mac_override,-wake_alarm,-block_suspend,-audit_control,-audit_read \
    /lib/systemd/systemd --system --show-status=0 --log-target=journal \
      SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1' "$old"   # the last word: 256+ wants it for hybrid
}

# ----------------------------------------------------- exec, status, down ---

in_lab() {
  local p; p=$(lab_pid) || die "$LAB_NAME is not up"
  nsenter -t "$p" -m -u -i -n -p -C -r -w -- /usr/bin/env -i container=lab \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    SYSTEMD_PAGER= SYSTEMD_COLORS=0 DEBIAN_FRONTEND=noninteractive "$@"
}

cmd_status() {
  local p
  if p=$(lab_pid); then
    echo "up pid=$p cgroup=$(cat "$RUN/mode") root=/proc/$p/root state=$(in_lab systemctl is-system-running || true)"
  else
    echo "down"; return 3
  fi
}

cmd_down() {
  local p i kind mnt dir ctl
  if p=$(lab_pid); then
    kill -s RTMIN+3 "$p" 2> /dev/null || true            # start halt.target
    for ((i = 0; i < LAB_HALT * 20; i++)); do lab_pid > /dev/null || break; sleep 0.05; done
    if lab_pid > /dev/null; then note "$LAB_NAME: no orderly halt in $LAB_HALT s, killing it"; kill -KILL "$p" 2> /dev/null || true; fi
    for ((i = 0; i < 100; i++)); do lab_pid > /dev/null || break; sleep 0.05; done
  fi
  if [ -e "$RUN/cgroups" ]; then
    while read -r kind mnt dir ctl; do
      [ -d "$dir" ] || continue
      for ((i = 0; i < 40; i++)); do
        find "$dir" -depth -type d -exec rmdir {} + 2> /dev/null || true
        [ -d "$dir" ] || break
        sleep 0.05
      done
      [ ! -d "$dir" ] || note "could not remove $dir"
    done < "$RUN/cgroups"
  fi
  rm -rf --one-file-system "$RUN"
}

# As a power cut: PID 1 and everything below it is gone at once, nothing is told.
cmd_crash() {
  local p
  if p=$(lab_pid); then kill -KILL "$p" 2> /dev/null || true; fi
  cmd_down
}

# What the machine lacks, one line each.
cmd_check() {
  local c missing=0
  lacks() { echo "lab: $1"; missing=1; }
  [ "$(id -u)" = 0 ] || lacks "needs root"
  for c in unshare nsenter setpriv flock; do command -v $c > /dev/null || lacks "needs $c (apt-get install util-linux)"; done
  if [ ! -e "$(rootfs)/.lab-ok" ]; then
    command -v mmdebstrap > /dev/null || command -v debootstrap > /dev/null || lacks "needs mmdebstrap (apt-get install mmdebstrap)"
  fi
  [ "$missing" = 1 ] || unshare --mount --uts --ipc --pid --net --cgroup --fork true 2> /dev/null || lacks "may not make namespaces here"
  grep -qE ' (cgroup2|cgroup) ' /proc/mounts || lacks "needs a mounted cgroup hierarchy"
  return "$missing"
}

# One up or down at a time per instance.
locked() {
  [ "$(id -u)" = 0 ] || die "must run as root"
  mkdir -p "$LAB_STATE"; exec 8> "$LAB_STATE/.$LAB_NAME.lock"; flock 8; "$@"
}

case ${1:-} in
  build)    cmd_build ;;
  up)       locked cmd_up ;;
  exec)     shift; [ $# -gt 0 ] || set -- /bin/bash; in_lab "$@" ;;
  net)      shift; p=$(lab_pid) || die "$LAB_NAME is not up"; exec nsenter -t "$p" -n -- "$@" ;;
  root)     p=$(lab_pid) || die "$LAB_NAME is not up"; echo "/proc/$p/root" ;;
  status)   cmd_status ;;
  down)     locked cmd_down ;;
  crash)    locked cmd_crash ;;
  check)    cmd_check ;;
  purge)    locked cmd_down; rm -rf --one-file-system "$(rootfs)" ;;
  __stage0) RUN=$LAB_STATE/$LAB_NAME; stage0 ;;
  __stage1) RUN=$LAB_STATE/$LAB_NAME; stage1 ;;
  __stage2) RUN=$LAB_STATE/$LAB_NAME; stage2 ;;
  --help|-h) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$SELF" ;;
  *) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$SELF" >&2; exit 64 ;;
esac
