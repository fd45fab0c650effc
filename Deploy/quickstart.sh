#!/usr/bin/env bash
# Weft in two minutes, on one machine: three hosts (network namespaces with an underlay between them), three real
# agents, one private network, three VMs (namespaces too), and one VM that moves from host 1 to host 2 while another
# pings it and sends it a TCP stream. Everything that it makes is named weft-demo-<pid> and is taken down at the end.
#
#   Deploy/quickstart.sh [--skip-build] [--keep]
#
#   --skip-build   use the binaries that are there (release build, or those in $WEFT_BIN_DIR)
#   --keep         leave the hosts running at the end and print how to use them and how to remove them
set -euo pipefail

skip_build=false
keep=false
for argument in "$@"; do
  case $argument in
    --skip-build) skip_build=true ;;
    --keep) keep=true ;;
    -h | --help)
      sed -n '2,9s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *)
      echo "quickstart: $argument is not an option; use --skip-build, --keep or --help." >&2
      exit 64
      ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=weft-demo-$$
work=$(mktemp -d "/tmp/$prefix.XXXXXX")
agents=()
watchdog=
started=$SECONDS

say() { printf '%3d s  %s\n' $((SECONDS - started)) "$*"; }
fail() {
  echo "quickstart: $*" >&2
  for log in "$work"/host*.log; do
    [[ -s $log ]] && { echo "--- the last lines of $(basename "$log")" >&2; tail -n 12 "$log" >&2; }
  done
  exit 1
}

# Ends only what this run started: its agents by pid, then whatever still runs inside its own namespaces.
take_down() {
  local status=$? pid name alive
  set +e
  trap - EXIT INT TERM
  [[ -n $watchdog ]] && kill "$watchdog" 2>/dev/null
  if $keep && ((status == 0)); then
    cat > "$work/remove.sh" <<REMOVE
#!/bin/sh
# Ends the demo $prefix: its processes, its namespaces, its files.
for name in \$(ip netns list 2> /dev/null | awk '{ print \$1 }' | grep '^$prefix-'); do
  for pid in \$(ip netns pids "\$name"); do kill "\$pid"; done
done
sleep 1
for name in \$(ip netns list 2> /dev/null | awk '{ print \$1 }' | grep '^$prefix-'); do ip netns del "\$name"; done
rm -rf "$work"
REMOVE
    chmod +x "$work/remove.sh"
    echo
    echo "The pool is still running. Try:   $bin/weft --socket $work/host1.sock pool status"
    echo "Remove it with:                   $work/remove.sh"
    exit 0
  fi
  for pid in "${agents[@]}"; do kill "$pid" 2>/dev/null || true; done
  for _ in $(seq 50); do
    alive=false
    for pid in "${agents[@]}"; do kill -0 "$pid" 2>/dev/null && alive=true; done
    $alive || break
    sleep 0.1
  done
  for name in $(ip netns list 2>/dev/null | awk '{ print $1 }' | grep "^$prefix-"); do
    for pid in $(ip netns pids "$name" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
    ip netns del "$name" 2>/dev/null || true
  done
  rm -rf "$work"
  ((status == 0)) && say "everything taken down"
  exit "$status"
}
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---------------------------------------------------------------------------------------------- packages and build

[[ $(id -u) -eq 0 ]] || fail "network namespaces need root: run it as root."

packages=(iproute2 iputils-ping iputils-arping iperf3 jq nftables procps)
$skip_build || packages+=(build-essential libnl-3-dev libnl-route-3-dev libssl-dev pkg-config)
missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == "install ok installed" ]] || missing+=("$package")
done
if ((${#missing[@]} > 0)); then
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || fail "apt-get update failed: see its message above."
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > "$work/apt.log" 2>&1 ||
    { cat "$work/apt.log" >&2; fail "apt-get could not install ${missing[*]}: see its message above."; }
fi

cd "$root"
if [[ -n ${WEFT_BIN_DIR:-} ]]; then
  bin=$(cd "$WEFT_BIN_DIR" && pwd)
else
  swift=$(command -v swift || true)
  [[ -z $swift && -x /opt/swift/usr/bin/swift ]] && swift=/opt/swift/usr/bin/swift
  [[ -n $swift ]] || fail "there is no Swift toolchain in PATH: install Swift 6.3 or later from swift.org/install."
  if ! $skip_build; then
    say "building the release binaries (the first time takes some minutes)"
    "$swift" build -c release --product weftd || fail "the build of weftd failed: see the compiler's message above."
    "$swift" build -c release --product weft || fail "the build of weft failed: see the compiler's message above."
  fi
  bin=$("$swift" build -c release --show-bin-path)
fi
[[ -x $bin/weftd && -x $bin/weft ]] || fail "no weftd and weft in $bin: run it once without --skip-build."

# From here on two minutes are plenty: whatever hangs is ended.
started=$SECONDS
(
  for _ in $(seq 120); do sleep 1; done
  echo "quickstart: two minutes are over; giving up." >&2
  kill -TERM $$
) &
watchdog=$!

# ---------------------------------------------------------------------------------------------- hosts and underlay

host() { echo "$prefix-host$1"; }
vm() { echo "$prefix-vm$1"; }
weft() { "$bin/weft" --socket "$work/host$1.sock" "${@:2}"; }
within() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

# eventually SECONDS WHAT COMMAND...: runs the command until it succeeds.
eventually() {
  local seconds=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "waited $seconds s, and still not: $what."
    sleep 0.05
  done
}

say "three hosts: namespaces $(host 1), $(host 2), $(host 3) on one underlay, 192.0.2.0/24"
ip netns add "$prefix-underlay"
ip -n "$prefix-underlay" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip -n "$prefix-underlay" link set br0 up
for i in 1 2 3; do
  ip netns add "$(host $i)"
  ip -n "$(host $i)" link set lo up
  ip link add eth0 netns "$(host $i)" type veth peer name "host$i" netns "$prefix-underlay"
  ip -n "$prefix-underlay" link set "host$i" master br0 up
  ip -n "$(host $i)" address add "192.0.2.$i/24" dev eth0
  ip -n "$(host $i)" link set eth0 up
done

say "three agents"
for i in 1 2 3; do
  ip netns exec "$(host $i)" "$bin/weftd" --state-dir "$work/host$i" --socket "$work/host$i.sock" \
    --name "host$i" --underlay "192.0.2.$i" > "$work/host$i.log" 2>&1 < /dev/null &
  agents+=($!)
done
for i in 1 2 3; do eventually 20 "agent $i answers on its socket" test -S "$work/host$i.sock"; done
eventually 20 "the agent of host 1 answers" weft 1 pool status

# ---------------------------------------------------------------------------------------------- pool and network

say "weft pool init, on host 1"
weft 1 pool init --name demo
token=$(weft 1 pool invite --uses 2)
for i in 2 3; do
  say "weft pool join 192.0.2.1 --token …, on host $i"
  weft $i pool join 192.0.2.1 --token "$token"
done
alive() { [[ $(weft "$1" host list --json | jq '[.[] | select(.state == "alive")] | length') == 3 ]]; }
for i in 1 2 3; do eventually 20 "host $i sees three hosts alive" alive $i; done
weft 1 host list

# Encrypted, as networks are unless one says otherwise: by the kernel where it can, else by the agent itself.
{ weft 1 doctor --json || true; } | jq -r '.checks[] | select(.name == "packet path") | .message'
say "weft network create blue"
weft 1 network create blue
network=$(weft 1 network list --json | jq '.[] | select(.name == "blue")')
bridge=$(jq -r .bridge <<< "$network")
mtu=$(jq -r .mtu <<< "$network")

# ---------------------------------------------------------------------------------------------- VMs

# The stack of a VM is a bridge eth0 with the VM's MAC; its one port is the guest's end of the VIF. A VM that moves
# keeps its namespace, hence its TCP connections, and changes that port, as netfront does when it connects anew. The
# host's end is in the network's bridge and up from the start; its carrier is the guest's end being up: on Xen, too,
# a netback interface gets its carrier when the guest connects.
add_vm() {
  local i=$1
  ip netns add "$(vm $i)"
  within "$(vm $i)" sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
  ip -n "$(vm $i)" link set lo up
  ip -n "$(vm $i)" link add eth0 address "00:16:3e:00:00:0$i" mtu "$mtu" type bridge \
    stp_state 0 forward_delay 0 mcast_snooping 0
  ip -n "$(vm $i)" address add "10.7.0.$i/24" dev eth0
  ip -n "$(vm $i)" link set eth0 up
}

# plug_vif VM HOST VIF PORT: the VIF is in the bridge of that host; the VM does not use it yet. The two ends get different
# indexes: Linux defers news of the carrier of a device whose peer has its own index by up to a second.
indexes=1000
plug_vif() {
  indexes=$((indexes + 2))
  ip link add "$3" netns "$(host $2)" index $indexes address fe:ff:ff:ff:ff:ff mtu "$mtu" type veth \
    peer name "$4" netns "$(vm $1)" index $((indexes + 1)) mtu "$mtu"
  ip -n "$(host $2)" link set "$3" addrgenmode none
  ip -n "$(host $2)" link set "$3" master "$bridge"
  ip -n "$(host $2)" link set "$3" up
  ip -n "$(vm $1)" link set "$4" master eth0
}

# connect VM PORT [PORT]: the VM uses that port now, instead of the second one, and announces itself.
connect() {
  printf '%s\n' ${3:+"link set $3 down"} "link set $2 up" | ip -n "$(vm $1)" -batch -
  until bridge -n "$(vm $1)" link show dev "$2" | grep -q 'state forwarding'; do :; done
  within "$(vm $1)" arping -q -U -c 1 -I eth0 "10.7.0.$1" > /dev/null &
}

say "three VMs, one on each host, in bridge $bridge, MTU $mtu"
for i in 1 2 3; do
  add_vm $i
  plug_vif $i $i "vif$i.0" "port$i"
  connect $i "port$i"
done

say "ping between every two"
for i in 1 2 3; do
  for j in 1 2 3; do
    ((i == j)) && continue
    eventually 10 "VM $i reaches VM $j" within "$(vm $i)" ping -n -q -c 1 -W 1 "10.7.0.$j"
    loss=$(within "$(vm $i)" ping -n -q -c 10 -i 0.02 -W 1 "10.7.0.$j" | sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p')
    printf '       VM %d to VM %d: %s %% lost\n' $i $j "$loss"
    [[ $loss == 0 ]] || fail "VM $i lost pings to VM $j."
  done
done
live() { [[ $(weft "$1" mac list --json | jq '[.[] | select(.state == "live")] | length') == 3 ]]; }
for i in 1 2 3; do eventually 10 "host $i knows the MACs of the three VMs" live $i; done
say "weft mac list, on host 3"
weft 3 mac list

# ---------------------------------------------------------------------------------------------- the move

say "VM 3 pings VM 1 every 5 ms and sends it a TCP stream"
within "$(vm 1)" iperf3 -s -1 > /dev/null 2>&1 &
eventually 5 "iperf3 listens in VM 1" bash -c "nsenter --net=/run/netns/$(vm 1) -- ss -Hltn | grep -q :5201"
within "$(vm 3)" iperf3 -c 10.7.0.1 -t 6 -b 100M -i 0.1 -J > "$work/iperf.json" 2>&1 &
stream=$!
# Without the function, so that the pid is that of ping and not that of a subshell, which ignores SIGINT.
nsenter --net="/run/netns/$(vm 3)" -- ping -n -D -i 0.005 10.7.0.1 > "$work/ping.txt" &
pings=$!
sleep 2

plug_vif 1 2 vif9.0 arrival
say "its VIF on host 2, vif9.0, is in the bridge, as it is minutes before a real VM arrives; nothing has moved"
sleep 0.5
connect 1 arrival port1
say "VM 1 runs on host 2"
sleep 0.5
ip -n "$(host 1)" link delete vif1.0
wait "$stream" || fail "the TCP stream broke: $(jq -r '.error // "no reason given"' "$work/iperf.json")."
kill -INT "$pings"
wait "$pings" 2>/dev/null || true

moved() {
  [[ $(weft "$1" mac list --json | jq -r '.[] | select(.mac == "00:16:3e:00:00:01") | .vif' ) == vif9.0 ]]
}
for i in 1 2 3; do eventually 5 "host $i knows that VM 1 is on host 2" moved $i; done
say "weft mac list, on host 3"
weft 3 mac list

sent=$(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' "$work/ping.txt")
# A request that was on its way when ping ended is not lost: count the holes below the last answer.
read -r lost gap last < <(awk '
  /icmp_seq=/ {
    time = substr($1, 2, length($1) - 2) + 0
    match($0, /icmp_seq=[0-9]+/); sequence = substr($0, RSTART + 9, RLENGTH - 9) + 0
    if (previous && time - previous > gap) gap = time - previous
    previous = time
    if (sequence > last) last = sequence
    if (!(sequence in seen)) { seen[sequence] = 1; answered++ }
  }
  END { printf "%d %.0f %d\n", last - answered, gap * 1000, last }' "$work/ping.txt")
((sent - last < 20)) || fail "VM 1 answers no ping any more since number $last of $sent."
summary=$(jq -r '[.end.sum_received.bytes / 1e6, .end.sum_sent.retransmits, ([.intervals[-10:][].sum.bytes] | add) / 1e6]
  | map(floor) | @tsv' "$work/iperf.json")
read -r megabytes retransmits tail <<< "$summary"
((tail > 0)) || fail "the TCP stream stood still after the move."

echo
echo "pings lost:  $lost of $sent (one every 5 ms)"
echo "gap:         $gap ms between two answers, at the longest"
echo "TCP:         the connection survived: $megabytes MB in one stream, $retransmits segments sent again, $tail MB in its last second"
echo
