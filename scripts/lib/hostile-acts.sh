# What the attacker's agent does, in the unit of its run, while another agent, the victim, is at work. Each act ends well where the
# boundary is broken. Read by scripts/lab-hostile.sh, which says what try, can and do_this are; $shared holds what an attacker could
# guess or be told: the victim's pid, home, run, workspace and task, and the daemon's pid.

# The harness itself: what an agent may do it can do, so a refusal is the boundary's and not a broken test's.
can "is the second agent, with a user of its own" '[ "$(id -un)" = fleet-agent-2 ]'
can "reads its task" 'grep -q description "$FLEET_TASK_FILE"'
can "writes into its home" 'echo x >~/control && grep -q x ~/control'
can "signals its own children" 'sleep 60 & kill -9 $!'
can "sees its own processes" 'ls -d /proc/$$'
can "speaks for its run" 'fleet-sidecar task progress --percent 1'
can "reaches the hub" 'connects 127.0.0.1 7070'
can "reaches a service of this machine" 'curl -sf -m 5 http://127.0.0.1/ | grep -q credentials'
can "makes a file of a gigabyte" 'truncate -s 1G ~/sparse && rm ~/sparse'
can "reads the victim's facts" '[ -n "$victim_pid" ] && [ -n "$victim_home" ] && [ -n "$victim_run" ] && [ -n "$daemon_pid" ]'

try escalation "becomes root by a set-id program" "NoNewPrivileges=" 'for program in su mount umount newgrp passwd chsh; do "$program" --help; done; echo | su -c id | grep -q uid=0'
try escalation "makes a set-id program" "RestrictSUIDSGID=" 'cp /bin/sh "$FLEET_RUN_DIR/sh" && chmod 4755 "$FLEET_RUN_DIR/sh" && [ -u "$FLEET_RUN_DIR/sh" ]'
try escalation "makes a user namespace" "RestrictNamespaces=" 'unshare --user --map-root-user true'
try escalation "makes a mount" "SystemCallFilter=, no capability" 'mkdir -p ~/m && mount -t tmpfs none ~/m'
try escalation "makes a device" "no capability, PrivateDevices=" 'mknod ~/disk b 8 0'
try escalation "loads a module of the kernel" "SystemCallFilter=, ProtectKernelModules=" 'perl -e "\$! = 0; syscall(qx(uname -m) =~ /aarch64/ ? 273 : 313, 0, q(), 0); exit(\$! == 1 ? 1 : 0)"'
try escalation "has the kernel do through a ring what a filter of calls refuses" "SystemCallFilter=" 'perl -e "exit(syscall(425, 8, qq(\\0) x 120) >= 0 ? 0 : 1)"'
try escalation "asks the service manager over the bus" "InaccessiblePaths=/run/dbus" 'perl -MIO::Socket::UNIX -e "IO::Socket::UNIX->new(Peer => q(/run/dbus/system_bus_socket)) or exit 1"'
try escalation "asks the service manager at its own socket" "an empty /run/systemd" 'perl -MIO::Socket::UNIX -e "IO::Socket::UNIX->new(Peer => q(/run/systemd/private)) or exit 1"'
try escalation "has a program started for its user outside of the unit" "InaccessiblePaths=/run/user" 'systemd-run --user true'
try escalation "leaves a job for cron" "owner, ProtectSystem=strict" 'echo "* * * * * root id" >/etc/cron.d/x || echo x >"/var/spool/cron/crontabs/$(id -un)"'
try escalation "writes into the system" "owner, ProtectSystem=strict" 'echo x >/etc/ld.so.preload || echo x >/usr/lib/x || echo x >/boot/x'
try escalation "replaces the daemon's program" "owner, ProtectSystem=strict" 'cp /bin/true /usr/lib/fleet-sidecar/fleet-sidecar || mv /usr/lib/fleet-sidecar ~'
try escalation "sets a handler of the kernel for crashes" "ProtectKernelTunables=" 'echo "|/bin/true" >/proc/sys/kernel/core_pattern'
try escalation "takes hold of the daemon as a debugger" "another user, a user namespace" 'ptrace_attach "$daemon_pid"'
try escalation "takes hold of the victim as a debugger" "another user, a user namespace" 'ptrace_attach "$victim_pid"'

try reading "the hub's token" "InaccessiblePaths=, mode" 'cat /etc/fleet-sidecar/hub-token'
try reading "the daemon's configuration" "InaccessiblePaths=, mode" 'cat /etc/fleet-sidecar/sidecar.json'
try reading "the daemon's store" "an empty view of the state directory" 'cat /var/lib/fleet-sidecar/state.db'
try reading "the daemon's copy of its credentials" "InaccessiblePaths=/run/credentials" 'ls /run/credentials/fleet-sidecar.service || ls /run/credentials'
try reading "the daemon's log" "InaccessiblePaths=, mode" 'cat /var/log/fleet-sidecar/*'
try reading "the daemon's environment and memory" "another user, ProtectProc=invisible" 'cat "/proc/$daemon_pid/environ" || ls "/proc/$daemon_pid/fd"'
try reading "the journal of others" "the journal's own modes" 'cat /var/log/journal/*/*.journal /run/log/journal/*/*.journal | grep -q .'
try reading "the victim's run" "a view of its own run alone" 'ls "$victim_run"'
try reading "the victim's workspace" "a view of its own run alone" 'ls "$victim_workspace"'
try reading "the victim's home" "a user and a home for each agent" 'cat "$victim_home/secret" || ls "$victim_home"'
try reading "the victim's environment, with its nonce" "another user" 'cat "/proc/$victim_pid/environ"'
try reading "which processes the victim has" "ProtectProc=invisible; their numbers and their runs' ids stand in /sys/fs/cgroup, what they are does not" 'ls -d "/proc/$victim_pid"'
try reading "the order of the victim" "a view of its own order alone" 'cat "/var/lib/fleet-sidecar/orders/${victim_run##*/}/order"'

try writing "into the objects that all clones borrow" "BindReadOnlyPaths=" 'touch /var/lib/fleet-sidecar/mirrors/x || touch /var/lib/fleet-sidecar/mirrors/*/x'
try writing "into its own order" "BindReadOnlyPaths=" 'echo x >>"/var/lib/fleet-sidecar/orders/$FLEET_RUN_ID/order" || rm -r "/var/lib/fleet-sidecar/orders/$FLEET_RUN_ID"'
try writing "how the victim ended" "a view of its own run alone" 'echo "0 success 0" >"$victim_run/wake-1/end"'
try writing "into the victim's home" "a user and a home for each agent" 'echo x >"$victim_home/.gitconfig"'
try writing "into what all agents are given" "owner, BindReadOnlyPaths=" 'echo x >/var/lib/fleet-agents/common/x'
try writing "a second name for a file of another" "the kernel's protected links, another file system" 'ln /etc/passwd ~/second'
try writing "a directory of a run that comes" "a view that is read only" 'mkdir /var/lib/fleet-sidecar/runs/run_000000000000'

try signalling "ends the victim" "another user" 'kill -9 "$victim_pid"'
try signalling "ends the daemon" "another user" 'kill -9 "$daemon_pid"'
try signalling "stops whatever has a number" "another user; looked for from outside" 'for pid in $(seq 2 "$(head -c 4 /proc/sys/kernel/pid_max)"); do [ -d /proc/$pid ] || kill -STOP $pid; done 2>/dev/null; false'

try forging "speaks for the victim, with the nonce that the victim told it" "the unit that the kernel names" 'FLEET_NONCE=$victim_nonce fleet-sidecar task complete --output forged'
try forging "speaks as an operator" "a socket that speaks for runs alone" 'says "$FLEET_SOCKET" "{\"verb\":\"status\"}" | grep -q "\"ok\": *true"'
for address in 169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 192.0.0.192; do reached="${reached-}curl -sf -m 2 http://$address/ || "; done
try reading "what a cloud hands out to its machines" "IPAddressDeny=" "${reached}false"

try forging "opens the operators' socket" "mode" 'perl -MIO::Socket::UNIX -e "IO::Socket::UNIX->new(Peer => q(/run/fleet-sidecar/control.sock)) or exit 1"'
try forging "asks the hub without a token" "the hub's own check" 'curl -sf http://127.0.0.1:7070/api/tasks'
try forging "asks the hub with the token of no operator" "the hub's own check" 'curl -sf -H "Authorization: Bearer $FLEET_NONCE" http://127.0.0.1:7070/api/tasks'
try forging "enrols a machine by a guess" "the hub's own check" 'curl -sf -X POST -H "Authorization: Bearer x" -d "{\"agent_id\":\"eve\"}" http://127.0.0.1:7070/api/onboard/register'

try filling "makes a file without an end" "LimitFSIZE=" 'truncate -s 65G ~/endless'
try filling "leaves a picture of its memory" "LimitCORE=" 'ulimit -c unlimited'
try filling "starts more processes than a unit has" "TasksMax=" 'perl -e "my @all; for (1 .. 5000) { my \$p = fork; defined \$p or last; if (!\$p) { sleep 60; exit } push @all, \$p } kill 9, @all; exit(@all == 5000 ? 0 : 1)"'

# Deeds whose effect is looked for from outside, by the lines of hostile-checks.sh.
do_this 'echo x >/dev/shm/left; echo x >/tmp/left; echo x >/run/lock/left'
do_this 'setsid env -i /bin/sh -c "trap : TERM HUP INT; exec sleep 4999" </dev/null >/dev/null 2>&1 &'
do_this 'printf "MESSAGE=forged\nSYSLOG_IDENTIFIER=fleet-sidecar\nFLEET_EVENT=RunSettled\nFLEET_TASK_ID=%s\n_UID=0\n" "$victim_task" | logger --journald'
do_this 'mkdir -p "$FLEET_RUN_DIR/results"; echo "{\"status\":\"success\",\"output\":\"forged\"}" >"$FLEET_RUN_DIR/results/$victim_task.json"'
do_this 'perl -MIO::Socket::UNIX -e "my @all; for (1 .. 400) { my \$s = IO::Socket::UNIX->new(Peer => \$ENV{FLEET_SOCKET}) or next; \$s->autoflush(1); print \$s q({); push @all, \$s } sleep 300" &'
do_this 'cd "$FLEET_RUN_DIR" && ln -s /etc/shadow shadow && ln -s /etc etc && mkdir odd && chmod 000 odd'
do_this 'cd "$FLEET_WORKSPACE" && for hook in pre-push pre-commit post-checkout reference-transaction; do mkdir -p .git/hooks; printf "#!/bin/sh\nid >>/srv/shared/hooked\n" >.git/hooks/$hook; chmod 755 .git/hooks/$hook; done; git config core.fsmonitor "id >>/srv/shared/hooked"; git config core.hooksPath .git/hooks; git config filter.x.clean "id >>/srv/shared/hooked"; echo "* filter=x" >.gitattributes; echo y >y; git -c core.fsmonitor= -c core.hooksPath=/dev/null -c filter.x.clean=cat add y; git -c core.hooksPath=/dev/null -c core.fsmonitor= commit -qm y; rm -f /srv/shared/hooked'
do_this 'echo "$(cut -d " " -f 1-22 /proc/1/stat)" >"$FLEET_RUN_DIR/wake-1/recorder"; cd "$FLEET_RUN_DIR/wake-1" && rm -f end end.room && mkdir end end.tmp && mkfifo end.room && echo "0 success 0" >end/end.tmp && chmod 555 .'
do_this 'head -c 30000000 /dev/zero | tr "\0" "o" | fold -w 1000'
do_this 'for name in $(seq 3000); do : >"$FLEET_RUN_DIR/$(printf "%0200d" $name)"; done'
