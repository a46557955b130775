#!/usr/bin/env bash
# Figures under a real systemd with the real packages: back after kill -9, and from assignment to the agent's first line.
set -euo pipefail
. "$(dirname "$0")/common.sh"
boot_lab bench
x sh -c 'apt-get -qq -y install /deb/*_$(dpkg --print-architecture).deb' >/dev/null 2>&1
x sh -c '
  mkdir -p /etc/fleet-sidecar; umask 077
  fleet-hub token create bench --data /var/lib/fleet-hub >/etc/fleet-sidecar/hub-token
  fleet-hub token create operator --role operator --data /var/lib/fleet-hub >/root/operator
  umask 022
  printf "#!/bin/sh\ndate +%%s%%6N >/var/lib/fleet-agents/1/stamp-\$FLEET_TASK_ID\n" >/usr/local/bin/agent; chmod 755 /usr/local/bin/agent
  cat >/etc/fleet-sidecar/sidecar.json <<J
{ "agent": { "id": "bench" }, "hub": { "url": "ws://127.0.0.1:7070/ws", "tokenFile": "/etc/fleet-sidecar/hub-token" }, "safeMode": { "starts": 0 },
  "wake": { "profiles": [ { "name": "main", "completion": "exitCode", "command": ["/usr/local/bin/agent"] } ] } }
J
  chgrp fleet-sidecar /etc/fleet-sidecar/sidecar.json; systemctl restart fleet-sidecar'
up() { x journalctl -u fleet-sidecar FLEET_EVENT=LinkUp -o json --no-pager | tail -n 1 | sed 's/.*"_SOURCE_REALTIME_TIMESTAMP":"\([0-9]*\)".*/\1/'; }
until up | grep -q .; do sleep 0.2; done
sleep 2
median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)], "median of", NR ", largest", a[NR] }'; }

for _ in 1 2 3 4 5 6 7 8 9 10; do
  before=$(up) killed=$(date +%s%6N)
  x sh -c 'kill -9 $(systemctl show -P MainPID fleet-sidecar)'
  until [ "$(up)" != "$before" ]; do sleep 0.2; done
  echo $((($(up) - killed) / 1000))
done | median | sed 's/^/kill -9 to identified again, ms (RestartSec 1000 of it): /'

for _ in $(seq 20); do
  task=$(x fleet-hub task add --token-file /root/operator --hub http://127.0.0.1:7070 --description bench)
  until x fleet-hub task show "$task" --token-file /root/operator --hub http://127.0.0.1:7070 --json | grep -q '"status": "completed"'; do sleep 0.1; done
  began=$(x journalctl "FLEET_TASK_ID=$task" FLEET_EVENT=RunMoved -o json --no-pager | sed -n '1s/.*"_SOURCE_REALTIME_TIMESTAMP":"\([0-9]*\)".*/\1/p')
  echo $(($(x cat "/var/lib/fleet-agents/1/stamp-$task") - began))
done | median | sed "s/^/accepted to the agent's first line in its unit, microseconds: /"
x sh -c 'grep -E "VmRSS|Threads" /proc/$(systemctl show -P MainPID fleet-sidecar)/status' | tr '\n' ' '; echo
