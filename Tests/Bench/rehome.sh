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
#   Tests/Bench/rehome.sh [N ...]     as root; hosts, 3 to 64 (default 3 8 32)
#
#   WEFT_BIN_DIR    use the binaries that are there
set -euo pipefail
export LC_ALL=C

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$root/Tests/Bench/hosts.sh"
. "$root/Tests/Bench/figures.sh"

moves=10
sizes=("$@")
((${#sizes[@]} > 0)) || sizes=(3 8 32)
for n in "${sizes[@]}"; do
  [[ $n =~ ^[0-9]+$ ]] && ((n >= 3 && n <= 64)) || usage "give numbers of hosts from 3 to 64."
done
begin remove_hosts
find_binaries
compile rehome

stands() { [[ $(weft 1 network show bench --json | jq '.hosts | length') == "$1" ]]; }
# Every host has a VIF in the network, so every host is on the flood lists.
flooded() {
  local list
  list=$(bridge -n "$(host 1)" fdb show dev "$1" | grep -c '^00:00:00:00:00:00')
  ((list == $2 - 1))
}

# ---------------------------------------------------------------------------------------------- one size

start_pool() {
  local n=$1 i
  make_hosts "$n"
  for ((i = 1; i <= n; i++)); do start_agent $i "$bin/weftd"; done
  make_pool "$n"
  weft 1 network create bench --encryption off > /dev/null
  eventually 60 "the network stands on $n hosts" stands "$n"
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
  ip netns add "$prefix-guests"
  ip netns exec "$prefix-guests" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  for ((i = 1; i <= n; i++)); do
    ip link add "vif$i.0" netns "$(host $i)" index 900 address fe:ff:ff:ff:ff:ff type veth \
      peer name "s$i" netns "$prefix-guests" index $((100 + i))
    ip -n "$(host $i)" link set "vif$i.0" addrgenmode none master "$bridge" up
    ip -n "$prefix-guests" link set "s$i" up
  done
}

# statistics LABEL: of its samples, in milliseconds.
statistics() { awk -v label="$1" '$1 == label { print $4 / 1000 }' "$work/samples" | spread 2; }

# run_moves LABEL BRIDGE DEVICE MAC HOST=VTEP...: in the foreground of the terminal, so that Ctrl-C ends it.
run_moves() {
  timeout --foreground 300 "$work/rehome" "$prefix-guests" "$2" "$3" "$4" "$moves" "$1" "${@:5}" >> "$work/samples" ||
    fail "a host did not learn where the VM is ($1)."
}

measure() {
  local n=$1 i device pairs=() ours floor free
  echo "$n hosts: starting" >&2
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
  run_moves weft "$bridge" "$device" 00:16:3e:00:be:01 "${pairs[@]}"
  run_moves learn learn0 learn1 00:16:3e:00:be:02 "${pairs[@]}"
  ours=$(statistics weft)
  floor=$(statistics learn)
  awk -v n="$n" -v ours="$ours" -v floor="$floor" -v free="$free" 'BEGIN {
    split(ours, a); split(floor, b)
    printf "%5d  %-16s %8s %8s %8s %8d  processors %s %% idle before\n", n, "weft", a[1], a[2], a[3], a[4], free
    printf "%5d  %-16s %8s %8s %8s %8d  ratio of the medians: %.1f\n", n, "flood and learn", b[1], b[2], b[3], b[4],
      a[1] / b[1]
  }' >> "$work/table"
  remove_hosts
}

for n in "${sizes[@]}"; do measure "$n"; done
echo
echo "Gratuitous ARP at the new host to the FDB notice on each other host, in ms ($moves moves)"
printf '%5s  %-16s %8s %8s %8s %8s\n' hosts how median p99 max samples
cat "$work/table"
