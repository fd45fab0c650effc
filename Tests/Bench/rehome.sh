#!/usr/bin/env bash
# How long until every host knows where a VM that moved is now? Real agents (release build), one on each of N hosts that
# are network namespaces of this machine; one network; one VM that moves ten times between two hosts. Measured is the
# time from its first gratuitous ARP at the new host to the kernel's FDB notice on every other host.
#
# The baseline of the same run is flood and learn in the kernel: the same hosts and the same moves on a second bridge and
# a VXLAN device that learns from what it receives, flooded to all hosts and with no agent in the path. It is the least
# that any scheme on these kernels takes to get one frame to N hosts; it is also not safe to run (whoever sends a frame
# moves a MAC), so it is a floor and not an alternative.
#
#   sudo Tests/Bench/rehome.sh [N ...]     hosts, 3 to 64 (default 3 8 32); WEFT_BIN_DIR: use the binaries that are there
set -euo pipefail
export LC_ALL=C

moves=10
sizes=("$@")
((${#sizes[@]} > 0)) || sizes=(3 8 32)
for n in "${sizes[@]}"; do
  [[ $n =~ ^[0-9]+$ ]] && ((n >= 3 && n <= 64)) || { echo "rehome: give numbers of hosts from 3 to 64." >&2; exit 64; }
done
[[ $(id -u) -eq 0 ]] || { echo "rehome: network namespaces need root: run it with sudo." >&2; exit 1; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
prefix=weft-bench-$$
work=$(mktemp -d "/tmp/$prefix.XXXXXX")
agents=()

remove_hosts() {
  local pid name
  for pid in ${agents[@]+"${agents[@]}"}; do kill -KILL "$pid" 2> /dev/null || true; done
  for pid in ${agents[@]+"${agents[@]}"}; do wait "$pid" 2> /dev/null || true; done
  agents=()
  for name in $(ip netns list 2> /dev/null | awk '{ print $1 }' | { grep "^$prefix-" || true; }); do
    for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2> /dev/null || true; done
    ip netns delete "$name" || true
  done
  rm -rf "$work"/host*
}
take_down() {
  local status=$?
  trap - EXIT INT TERM
  set +e
  remove_hosts
  rm -rf "$work"
  exit "$status"
}
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "rehome: $*" >&2
  for log in "$work"/host*.log; do
    [[ -s $log ]] && { echo "--- $(basename "$log")" >&2; tail -n 5 "$log" >&2; } || true
  done
  exit 1
}
eventually() { # eventually SECONDS WHAT COMMAND...
  local what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < end)) || fail "waited, and still not: $what."
    sleep 0.1
  done
}

# ---------------------------------------------------------------------------------------------- binaries

cd "$root"
if [[ -n ${WEFT_BIN_DIR:-} ]]; then
  bin=$(cd "$WEFT_BIN_DIR" && pwd)
else
  command -v swift > /dev/null || PATH=/opt/swift/usr/bin:$PATH
  swift build -c release --product weftd
  swift build -c release --product weft
  bin=$(swift build -c release --show-bin-path)
fi
cc -O2 -Wall -Wextra -o "$work/rehome" Tests/Bench/rehome.c

host() { echo "$prefix-host$1"; }
address() { echo "192.0.2.$1"; }
weft() { "$bin/weft" --socket "$work/host$1.sock" "${@:2}"; }
alive() { [[ $(weft "$1" host list --json | jq '[.[] | select(.state == "alive")] | length') == "$2" ]]; }
stands() { [[ $(weft 1 network show bench --json | jq '.hosts | length') == "$1" ]]; }
# Every host has a VIF in the network, so every host is on the flood lists.
flooded() {
  local list
  list=$(bridge -n "$(host 1)" fdb show dev "$1" | grep -c '^00:00:00:00:00:00')
  ((list == $2 - 1))
}

# ---------------------------------------------------------------------------------------------- one size

make_hosts() {
  local n=$1 i
  ip netns add "$prefix-underlay"
  ip -n "$prefix-underlay" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
  ip -n "$prefix-underlay" link set br0 up
  ip netns add "$prefix-guests"
  ip netns exec "$prefix-guests" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  for ((i = 1; i <= n; i++)); do
    ip netns add "$(host $i)"
    ip link add eth0 netns "$(host $i)" type veth peer name "host$i" netns "$prefix-underlay"
    ip -n "$prefix-underlay" link set "host$i" master br0 up
    ip -n "$(host $i)" link set lo up
    ip -n "$(host $i)" address add "$(address $i)/24" dev eth0
    ip -n "$(host $i)" link set eth0 up
  done
}

start_pool() {
  local n=$1 i token
  for ((i = 1; i <= n; i++)); do
    ip netns exec "$(host $i)" "$bin/weftd" --state-dir "$work/host$i" --socket "$work/host$i.sock" --name "host$i" \
      --underlay "$(address $i)" --log-level warning > "$work/host$i.log" 2>&1 < /dev/null &
    agents+=($!)
  done
  for ((i = 1; i <= n; i++)); do eventually 30 "agent $i answers" weft $i pool status; done
  weft 1 pool init --name bench > /dev/null
  token=$(weft 1 pool invite --uses $((n - 1)))
  for ((i = 2; i <= n; i++)); do weft $i pool join "$(address 1)" --token "$token" > /dev/null; done
  for ((i = 1; i <= n; i++)); do eventually 60 "host $i sees $n hosts alive" alive $i $n; done
  weft 1 network create bench --encryption off > /dev/null
  eventually 60 "the network stands on $n hosts" stands $n
}

# The baseline's bridge and tunnel: learning on, flooding to all.
make_learning() {
  local n=$1 i j
  for ((i = 1; i <= n; i++)); do
    {
      echo "link add learn0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
      echo "link add learn1 type vxlan id 1 local $(address $i) dstport 7690 learning"
      echo "link set learn1 master learn0"
      echo "link set learn0 up"
      echo "link set learn1 up"
    } | ip -n "$(host $i)" -batch -
    for ((j = 1; j <= n; j++)); do
      ((i == j)) || echo "fdb append 00:00:00:00:00:00 dev learn1 dst $(address $j)"
    done | bridge -n "$(host $i)" -batch -
  done
}

# A VIF on every host, with carrier, as if a VM ran there that says nothing.
add_silent_vifs() {
  local n=$1 bridge=$2 i
  for ((i = 1; i <= n; i++)); do
    ip link add "vif$i.0" netns "$(host $i)" index 900 address fe:ff:ff:ff:ff:ff type veth \
      peer name "s$i" netns "$prefix-guests" index $((100 + i))
    ip -n "$(host $i)" link set "vif$i.0" addrgenmode none master "$bridge" up
    ip -n "$prefix-guests" link set "s$i" up
  done
}

# statistics LABEL: median, 99th percentile and maximum, in milliseconds.
statistics() {
  awk -v label="$1" '$1 == label { print $4 / 1000 }' "$work/samples" | sort -g | awk '
    { value[NR] = $1 }
    END {
      if (NR == 0) exit 1
      median = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
      rank = int(NR * 0.99); if (rank < NR * 0.99) rank++
      printf "%.2f %.2f %.2f %d\n", median, value[rank], value[NR], NR
    }'
}

# How much of the processors nobody used during two seconds, in per cent: a busy machine adds whole milliseconds.
idle() {
  local before after
  before=$(sed -n 's/^cpu  *//p' /proc/stat)
  sleep 2
  after=$(sed -n 's/^cpu  *//p' /proc/stat)
  awk -v before="$before" -v after="$after" 'BEGIN {
    n = split(before, b); split(after, a)
    for (i = 1; i <= n; i++) total += a[i] - b[i]
    printf "%.0f\n", 100 * (a[4] - b[4]) / total
  }'
}

measure() {
  local n=$1 i device pairs=() ours floor free
  echo "$n hosts: starting" >&2
  make_hosts "$n"
  start_pool "$n"
  bridge=$(weft 1 network show bench --json | jq -r .bridge)
  device=wx$(weft 1 network show bench --json | jq -r .vni)
  make_learning "$n"
  add_silent_vifs "$n" "$bridge"
  eventually 30 "every host floods to all others" flooded "$device" "$n"
  for ((i = 1; i <= n; i++)); do pairs+=("$(host $i)=$(address $i)"); done
  free=$(idle)
  echo "$n hosts: $moves moves in Weft's network, then $moves in the kernel's own" >&2
  : > "$work/samples"
  timeout 300 "$work/rehome" "$prefix-guests" "$bridge" "$device" 00:16:3e:00:be:01 "$moves" weft "${pairs[@]}" \
    >> "$work/samples" || fail "a host did not learn where the VM is."
  timeout 300 "$work/rehome" "$prefix-guests" learn0 learn1 00:16:3e:00:be:02 "$moves" learn "${pairs[@]}" \
    >> "$work/samples" || fail "a host did not learn where the VM is, in the baseline."
  ours=$(statistics weft)
  floor=$(statistics learn)
  awk -v n="$n" -v ours="$ours" -v floor="$floor" -v free="$free" 'BEGIN {
    split(ours, a); split(floor, b)
    printf "%5d  %-16s %8s %8s %8s %8d  processors %s %% idle before\n", n, "weft", a[1], a[2], a[3], a[4], free
    printf "%5d  %-16s %8s %8s %8s %8d  ratio of the medians: %.1f\n", n, "flood and learn", b[1], b[2], b[3], b[4], a[1] / b[1]
  }' >> "$work/table"
  remove_hosts
}

for n in "${sizes[@]}"; do measure "$n"; done
echo
echo "Gratuitous ARP at the new host to the FDB notice on each other host, in ms ($moves moves)"
printf '%5s  %-16s %8s %8s %8s %8s\n' hosts how median p99 max samples
cat "$work/table"
