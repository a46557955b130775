#!/usr/bin/env bash
# Hostile acts as an agent's code, on a machine with both packages, beside another agent at work: what they reach, and what holds.
#
#   scripts/lab-hostile.sh          boot a machine of the lab, do them all, print one line an act; exit code 1 where one was not held
#   scripts/lab-hostile.sh --list   the table of docs/security.md
#
# Needs root, and the packages: scripts/deb.sh. Example: scripts/deb.sh --native && scripts/lab-hostile.sh
set -euo pipefail
. "$(dirname "$0")/lib/common.sh"
acts=$root/scripts/lib/hostile-acts.sh checks=$root/scripts/lib/hostile-checks.sh

case ${1-} in
  "") ;;
  --help | -h) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --list)
    try() { printf '| %s | %s | %s |\n' "$1" "$2" "$3"; }
    see() { try "$@"; }
    documented() { try "$@"; }
    can() { :; }
    do_this() { :; }
    printf '| | the agent | held by |\n|---|---|---|\n'
    # shellcheck source=/dev/null
    { . "$acts"; . "$checks"; } | sort -s -t '|' -k 2,2
    exit 0 ;;
  *) usage "'$1' is not known" ;;
esac

boot_lab hostile
on() { x bash -euc "$1"; } # As root on that machine.
until_on() { # what command
  for _ in $(seq 300); do on "$2" >/dev/null 2>&1 && return; sleep 0.5; done
  { on 'cat /srv/shared/acts* 2>/dev/null | grep -v "^held"' || :; x journalctl --no-pager -o cat -u fleet-sidecar -n 40; } | cut -c 1-300 >&2
  say "waited too long for $1" >&2
  return 1
}

on 'apt-get -qq -y install /deb/*_$(dpkg --print-architecture).deb' >/dev/null 2>&1
on '
  mkdir -p /srv/git && cd /tmp && git init -q -b main seed && cd seed && echo hello >README && git add . && git -c user.name=t -c user.email=t@example.org commit -qm first
  git clone -q --bare /tmp/seed /srv/git/app.git && chown -R nobody /srv/git
  printf "[Service]\nUser=nobody\nExecStart=/usr/bin/git daemon --listen=127.0.0.1 --export-all --enable=receive-pack --base-path=/srv/git /srv/git\n" >/etc/systemd/system/git-daemon.service
  mkdir -m 777 /srv/shared
  for unit in fleet-agent@ fleet-agent-@ fleet-sidecar; do mkdir -p /etc/systemd/system/$unit.service.d; printf "[Service]\nReadWritePaths=-/srv/shared\n" >/etc/systemd/system/$unit.service.d/shared.conf; done
  systemctl daemon-reload; systemctl start git-daemon
  mkdir -p /etc/fleet-sidecar; umask 077
  fleet-hub token create iris --data /var/lib/fleet-hub >/etc/fleet-sidecar/hub-token
  fleet-hub token create operator --role operator --data /var/lib/fleet-hub >/root/operator
  umask 022
  cat >/etc/fleet-sidecar/sidecar.json <<J
{ "agent": { "id": "iris", "maxConcurrentRuns": 2 }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "/etc/fleet-sidecar/hub-token" },
  "wake": { "profiles": [ { "name": "main", "command": ["/usr/local/bin/agent"], "aliveFor": "00:00:00.2", "maxOutputBytes": 4194304 } ] } }
J
  chgrp fleet-sidecar /etc/fleet-sidecar/sidecar.json; chmod 640 /etc/fleet-sidecar/sidecar.json'

# What a cloud would answer at its own addresses; it answers at the machine's as well, which an agent may ask.
on 'cat >/usr/local/bin/cloud; chmod 755 /usr/local/bin/cloud' <<'CLOUD'
#!/usr/bin/perl
use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die;
while (my $caller = $listener->accept) { sysread($caller, my $asked, 4096); print $caller "HTTP/1.0 200 OK\r\n\r\ncredentials\n"; close $caller }
CLOUD
on 'for address in 169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 192.0.0.192; do ip addr add $address/32 dev lo; done; systemd-run -q --unit cloud /usr/local/bin/cloud'
until_on "the cloud to answer" 'curl -sf -m 3 http://169.254.169.254/ | grep -q credentials && curl -sf -m 3 http://192.0.0.192/ | grep -q credentials'

# The first agent is the victim. The second does the acts. The third has a report that is a link in every other moment.
on 'cat >/usr/local/bin/agent; chmod 755 /usr/local/bin/agent' <<'AGENT'
#!/bin/bash
shared=/srv/shared
fleet-sidecar task start
if mkdir $shared/first 2>/dev/null; then
  echo secret >~/secret
  printf 'victim_pid=%s\nvictim_home=%s\nvictim_run=%s\nvictim_workspace=%s\nvictim_task=%s\nvictim_nonce=%s\n' $$ "$HOME" "$FLEET_RUN_DIR" "$FLEET_WORKSPACE" "$FLEET_TASK_ID" "$FLEET_NONCE" >$shared/facts.tmp
  mv $shared/facts.tmp $shared/facts
  heard=0
  while [ ! -e $shared/go ]; do
    fleet-sidecar task progress --percent 1 && [ -e $shared/holding ] && heard=$((heard + 1)) && echo "heard $heard" >$shared/victim-heard
    sleep 0.5
  done
  fleet-sidecar task complete --output "finished by itself"
  exit
fi
if ! mkdir $shared/second 2>/dev/null; then
  # Its report is a report in one moment and a link in the next, from before the daemon looks until it ends.
  cd "$FLEET_RESULTS_DIR" && printf '{"status":"success","output":"%0900000d"}' 0 >report && ln -s /var/lib/fleet-sidecar/state.db "$FLEET_TASK_ID.json"
  exec perl -e '
    my ($exchange, $name, $report) = (qx(uname -m) =~ /aarch64/ ? 276 : 316, "$ENV{FLEET_TASK_ID}.json", "report"); # renameat2
    my ($until, $swaps) = (time + 60, 0);
    while (time < $until && syscall($exchange, -100, $name, -100, $report, 2) == 0) { open my $many, ">", "/srv/shared/swapped" if ++$swaps == 1000 }'
fi
while [ ! -e $shared/daemon ]; do sleep 0.1; done
. $shared/facts; . $shared/daemon
connects() { perl -MIO::Socket::INET -e 'IO::Socket::INET->new("$ARGV[0]:$ARGV[1]") or exit 1' "$1" "$2"; }
ptrace_attach() { perl -e 'exit(syscall(qx(uname -m) =~ /aarch64/ ? 117 : 101, 16, $ARGV[0] + 0, 0, 0) == 0 ? 0 : 1)' "$1"; }
says() { perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1; $s->autoflush(1); print $s "$ARGV[1]\n"; my $l = <$s>; print $l' "$1" "$2"; }
attempt() { ( eval "$1" ) </dev/null >/dev/null 2>&1; }
can() { attempt "$2" && echo "can|$1" || echo "CANNOT|$1"; }
try() { attempt "$4" && echo "BROKEN|$1|$2" || echo "held|$1|$2"; }
do_this() { eval "$1" >&3; }
exec 3>&1
. /usr/local/lib/hostile-acts.sh >$shared/acts.tmp
touch $shared/holding
mv $shared/acts.tmp $shared/acts
for awaited in victim-heard flooded; do for _ in $(seq 300); do [ ! -e $shared/$awaited ] || break; sleep 0.2; done; done
exit 7
AGENT
on 'cat >/usr/local/lib/hostile-acts.sh' <"$acts"
on 'cat >/usr/local/lib/hostile-checks.sh' <"$checks"
on 'systemctl restart fleet-sidecar'
hub="--token-file /root/operator --hub http://127.0.0.1:7070"
until_on "the sidecar to be ready" "fleet-hub status $hub 2>/dev/null | grep -q idle || curl -sf -H \"Authorization: Bearer \$(cat /root/operator)\" http://127.0.0.1:7070/api/agents | grep -q '\"status\": *\"idle\"'"
victim=$(on "fleet-hub task add $hub --description victim" | tail -n 1)
until_on "the victim to be at work" '[ -e /srv/shared/facts ]'
attacker=$(on "fleet-hub task add $hub --description attacker --repo git://127.0.0.1/app.git --max-retries 0" | tail -n 1)
on '
  printf "shadow_before=\"%s\"\ndaemons_before=\"%s\"\n" "$(stat -c "%U %a" /etc/shadow /etc | xargs)" "$(systemctl show -P MainPID fleet-sidecar fleet-hub | xargs)" >/root/before
  echo "daemon_pid=$(systemctl show -P MainPID fleet-sidecar)" >/srv/shared/daemon'
until_on "the flood to be in the journal" '[ -e /srv/shared/acts ] && [ "$(journalctl -q --no-pager -o cat _UID="$(id -u fleet-agent-2)" | wc -l)" -gt 1000 ]' || :
on 'touch /srv/shared/flooded'
until_on "the attacker to have ended" "fleet-hub task show $attacker $hub --json | grep -q '\"status\": \"dead_letter\"'"
on "echo \"attacker_task=$attacker victim_task=$victim attacker_run=\$(journalctl -q --no-pager -o json FLEET_TASK_ID=$attacker FLEET_EVENT=AgentStarted | sed -n '1s/.*\"FLEET_RUN_ID\":\"\([^\"]*\)\".*/\1/p')\" >>/root/before; touch /srv/shared/go"
until_on "the victim to finish" "fleet-hub task show $victim $hub --json | grep -q '\"status\": \"completed\"'" || :
until_on "what it left to be looked at" "journalctl -q --no-pager -o cat FLEET_TASK_ID=$attacker | grep -qE 'WorkRescued|WorkspaceKept'" || :
until_on "the attacker's run to be settled" 'fleet-sidecar status --json | grep -q "\"runs\": *\[\]"' || :
swapper=$(on "fleet-hub task add $hub --description swapper --max-retries 0" | tail -n 1)
until_on "the report that is a link in the next moment to be read" "fleet-hub task show $swapper $hub --json | grep -qE '\"status\": \"(completed|dead_letter)\"'"
until_on "that run to be settled" 'fleet-sidecar status --json | grep -q "\"runs\": *\[\]"' || :
on "echo \"swapper_run=\$(journalctl -q --no-pager -o json FLEET_TASK_ID=$swapper FLEET_EVENT=AgentStarted | sed -n '1s/.*\"FLEET_RUN_ID\":\"\([^\"]*\)\".*/\1/p')\" >>/root/before"
found=$(on '
  cat /srv/shared/acts
  . /root/before
  see() { if ( eval "$4" ) >/dev/null 2>&1; then echo "held|$1|$2"; else echo "BROKEN|$1|$2"; fi; }
  documented() { echo "documented|$1|$2"; }
  set +eu; . /usr/local/lib/hostile-checks.sh')
say "$found" | sed 's/|/  /g'
held=$(grep -c '^held' <<<"$found") broken=$(grep -cE '^(BROKEN|CANNOT)' <<<"$found" || :)
expected=$(grep -cE '^(try|see) ' "$acts" "$checks" | cut -d : -f 2 | paste -sd + | bc)
say "$held acts held of $expected, $broken not"
[ "$broken" = 0 ] && [ "$held" = "$expected" ]
