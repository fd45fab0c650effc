# Hosts that are network namespaces of this machine, the agents in them, and VMs. To be sourced after common.sh.

host() { echo "$prefix-host$1"; }
vm() { echo "$prefix-vm$1"; }
address() { echo "192.0.2.$1"; }
inner() { echo "198.51.100.$1"; }
weft() { "$bin/weft" --socket "$work/host$1.sock" "${@:2}"; }
alive() { [[ $(weft "$1" host list --json | jq '[.[] | select(.state == "alive")] | length') == "$2" ]]; }

# start LOG NAMESPACE COMMAND...: in the background; the log is $work/LOG.log, the process id is in $started.
start() {
  local log=$1 namespace=$2
  shift 2
  ip netns exec "$namespace" "$@" > "$work/$log.log" 2>&1 < /dev/null &
  started=$!
  processes+=("$started")
}

# Also what runs in the background, and all logs.
remove_hosts() {
  local pid name
  end_processes KILL "${processes[@]}"
  for name in $(ip netns list 2> /dev/null | awk '{ print $1 }' | { grep "^$prefix-" || true; }); do
    for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2> /dev/null || true; done
    ip netns delete "$name" || true
  done
  rm -rf "$work"/host* "$work"/*.log
}

make_bridge() { # make_bridge NAMESPACE
  ip -n "$1" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
  ip -n "$1" link set br0 up
}
# What leads into the underlay is there as eth0.
set_up_host() { # set_up_host HOST
  ip -n "$(host "$1")" link set lo up
  ip -n "$(host "$1")" address add "$(address "$1")/24" dev eth0
  ip -n "$(host "$1")" link set eth0 up
}
# make_hosts COUNT: their underlay is a bridge in a namespace of its own.
make_hosts() {
  local i
  ip netns add "$prefix-underlay"
  make_bridge "$prefix-underlay"
  for ((i = 1; i <= $1; i++)); do
    ip netns add "$(host $i)"
    ip link add eth0 netns "$(host $i)" type veth peer name "host$i" netns "$prefix-underlay"
    ip -n "$prefix-underlay" link set "host$i" master br0 up
    set_up_host $i
  done
}

# make_vm HOST BRIDGE MTU
make_vm() {
  ip netns add "$(vm "$1")"
  ip netns exec "$(vm "$1")" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  ip link add "vif$1.0" netns "$(host "$1")" index 900 address fe:ff:ff:ff:ff:ff mtu "$3" type veth \
    peer name eth0 netns "$(vm "$1")" index 100 address "00:16:3e:00:be:0$1" mtu "$3"
  ip -n "$(host "$1")" link set "vif$1.0" addrgenmode none master "$2" up
  ip -n "$(vm "$1")" link set lo up
  ip -n "$(vm "$1")" address add "$(inner "$1")/24" dev eth0
  ip -n "$(vm "$1")" link set eth0 up
}

# start_agent HOST COMMAND...: COMMAND starts weftd, and gets the options that the host needs.
start_agent() {
  start "weftd$1" "$(host "$1")" "${@:2}" --state-dir "$work/host$1" --socket "$work/host$1.sock" --name "host$1" \
    --underlay "$(address "$1")" --log-level warning
}
# make_pool COUNT: of the hosts whose agents were started.
make_pool() {
  local n=$1 i token
  for ((i = 1; i <= n; i++)); do eventually 120 "agent $i answers" weft $i pool status; done
  weft 1 pool init --name bench > /dev/null
  token=$(weft 1 pool invite --uses $((n - 1)))
  for ((i = 2; i <= n; i++)); do weft $i pool join "$(address 1)" --token "$token" > /dev/null; done
  for ((i = 1; i <= n; i++)); do eventually 60 "host $i sees $n hosts alive" alive $i "$n"; done
}
