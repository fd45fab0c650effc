#!/usr/bin/env bash
# How fast are packets through user space? Two hosts that are network namespaces of this machine, an underlay of MTU
# 1500 between them (a veth pair), a VM on each (a namespace with a veth into the network's bridge). The same is
# measured of five paths between the two VMs, one path after the other, in one run:
#
#   weft       two real agents (release build) with `--dataplane user` and an encrypted network
#   libcrypto  the same with libIPSec_MB hidden from the agents; left out where there is none to hide
#   clear      the kernel's VXLAN, not encrypted: what the machine can do
#   wireguard  the kernel's VXLAN over wireguard-go
#   tinc       tinc in switch mode, with the ciphers that it takes by default (AES-256-CBC, HMAC-SHA-256 cut to 4 bytes)
#
# The guests' MTU is in each path the largest that the underlay carries without fragments. Measured are one TCP stream
# and four (iperf3), each from VM 1 to VM 2 and back; the round trip with nothing else and during each of these; the
# processor time of the whole machine for each gigabyte (what /proc/stat does not count as idle, in the same seconds,
# with the pings and iperf3); and UDP packets of 64 bytes. All of it shares this machine's processors, so the figures
# are for comparison within one run. Before each path is measured, what pings carry is looked for on the underlay: it is
# there in clear, and nowhere else.
#
#   Tests/Bench/throughput.sh [--quick] [--only PATH[,PATH ...]] [--profile]     as root
#
#   --quick        3 s instead of 10 s for each measurement, one stream, only weft and clear
#   --only PATHS   only these of weft, libcrypto, clear, wireguard, tinc
#   --profile      also writes where the time went during weft's stream and small packets, each in a run of its own, to
#                  throughput-profile-*.txt in the current directory (needs perf)
#   WEFT_BIN_DIR   use the binaries that are there
#   WEFT_BENCH_CONGESTION   congestion control of the guests' TCP (cubic)
set -euo pipefail
export LC_ALL=C TZ=UTC

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$root/Tests/Bench/hosts.sh"
. "$root/Tests/Bench/figures.sh"

paths=(weft libcrypto clear wireguard tinc)
streams=(1 4)
seconds=10
pings=500
profile=
only=

while (($# > 0)); do
  case $1 in
    --quick) seconds=3 streams=(1) pings=200 ;;
    --only)
      (($# > 1)) || usage "--only needs names of paths: weft, libcrypto, clear, wireguard, tinc."
      only=$2
      shift
      ;;
    --profile) profile=$PWD ;;
    -h | --help)
      sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
      exit 0
      ;;
    *) usage "$1 is not an option; --help tells which there are." ;;
  esac
  shift
done
((${#streams[@]} > 1)) || paths=(weft clear)
if [[ -n $only ]]; then
  IFS=, read -ra paths <<< "$only"
  for path in "${paths[@]}"; do
    [[ $path =~ ^(weft|libcrypto|clear|wireguard|tinc)$ ]] ||
      usage "$path is not a path: weft, libcrypto, clear, wireguard, tinc."
  done
fi
multi_buffer=$(ldconfig -p | sed -n 's/.*libIPSec_MB\.so\.1 .* => //p' | head -n 1)
if [[ -z $multi_buffer ]]; then
  read -ra paths <<< "$(printf '%s ' "${paths[@]}" | sed 's/libcrypto //')"
fi
wants() { [[ " ${paths[*]} " == *" $1 "* ]]; }

# WireGuard's control sockets are found by the interface's name, for all namespaces: the names are this run's own.
wireguard() { echo "wgb$$.$1"; }
remove_all() {
  remove_hosts
  rm -f "/var/run/wireguard/$(wireguard 1).sock" "/var/run/wireguard/$(wireguard 2).sock"
}
begin remove_all

missing=()
needs() { command -v "$1" > /dev/null || missing+=("$2"); }
needs iperf3 iperf3
needs ping iputils-ping
needs jq jq
needs tcpdump tcpdump
needs cc build-essential
if wants wireguard; then needs wireguard-go wireguard-go; needs wg wireguard-tools; fi
if wants tinc; then needs tincd tinc; fi
if [[ -n $profile ]]; then needs perf linux-perf; fi
((${#missing[@]} == 0)) || fail "missing: ${missing[*]}. Run: apt-get install ${missing[*]}"

congestion=${WEFT_BENCH_CONGESTION:-cubic}
available=$(< /proc/sys/net/ipv4/tcp_available_congestion_control)
[[ " $available " == *" $congestion "* ]] ||
  usage "this kernel has no congestion control $congestion; it has: $available."

if wants weft || wants libcrypto; then find_binaries; fi
compile throughput-udp

# ---------------------------------------------------------------------------------------------- hosts and VMs

other() { echo $((3 - $1)); }

make_pair() {
  local i
  for i in 1 2; do
    ip netns add "$(host $i)"
    ip netns exec "$(host $i)" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
  done
  ip link add eth0 netns "$(host 1)" index 10 mtu 1500 type veth peer name eth0 netns "$(host 2)" index 11 mtu 1500
  for i in 1 2; do set_up_host $i; done
}

# Each of these makes one path between the hosts, and sets `bridge` and `mtu`.

make_weft() { # make_weft [COMMAND...]: which runs the agents
  local i
  agents=()
  for i in 1 2; do
    start_agent $i "$@" "$bin/weftd" --dataplane user
    agents+=("$started")
  done
  make_pool 2
  weft 1 network create blue --encryption required > /dev/null ||
    fail "there is no network: see the sentence above, and weft doctor."
  eventually 60 "the network stands on host 2" weft 2 network show blue
  read -r bridge mtu < <(weft 1 network show blue --json | jq -r '"\(.bridge) \(.mtu)"')
}

make_libcrypto() {
  make_weft unshare --mount sh -c "mount --bind /dev/null $multi_buffer && exec \"\$@\"" sh
  [[ $(weft 1 doctor || true) == *"AES-256-GCM by OpenSSL"* ]] ||
    fail "the agents do not use libcrypto: see weft doctor."
}

# The bridge, and in it a VXLAN device: 50 bytes more than the guest's packet. Its UDP checksum is on, as Weft's is.
make_vxlan() { # make_vxlan HOST MTU LOCAL REMOTE
  make_bridge "$(host "$1")"
  ip -n "$(host "$1")" link add vx0 mtu "$2" type vxlan id 1 local "$3" remote "$4" dstport 4789 udpcsum nolearning
  ip -n "$(host "$1")" link set vx0 master br0 up
}
make_clear() {
  local i
  bridge=br0 mtu=1450
  for i in 1 2; do make_vxlan $i $mtu "$(address $i)" "$(address "$(other $i)")"; done
}

# WireGuard adds 60 bytes on IPv4 (20 IP, 8 UDP, 16 header, 16 tag) and pads to 16 bytes, but not over its own MTU.
make_wireguard() {
  local i name
  bridge=br0 mtu=$((1440 - 50))
  for i in 1 2; do
    name=$(wireguard $i)
    (umask 077; wg genkey > "$work/host$i.key")
    WG_PROCESS_FOREGROUND=1 start "wireguard$i" "$(host $i)" wireguard-go --foreground "$name"
    eventually 10 "wireguard-go answers on host $i" ip netns exec "$(host $i)" wg show "$name"
  done
  for i in 1 2; do
    name=$(wireguard $i)
    ip netns exec "$(host $i)" wg set "$name" private-key "$work/host$i.key" listen-port 51820 \
      peer "$(wg pubkey < "$work/host$(other $i).key")" allowed-ips "203.0.113.$(other $i)/32" \
      endpoint "$(address "$(other $i)"):51820"
    ip -n "$(host $i)" address add "203.0.113.$i/24" dev "$name"
    ip -n "$(host $i)" link set "$name" mtu 1440 up
    make_vxlan $i $mtu "203.0.113.$i" "203.0.113.$(other $i)"
  done
}

# tinc puts a whole frame with a number of 4 bytes into AES-CBC, which pads to 16 bytes, at least one; then 4 bytes of
# HMAC, UDP and IP: 1500 - 20 - 8 - 4 = 1468, of which 91 blocks, 1456, are for 4 + 14 + 1437 + 1. Its buffers are those
# of the system, as tinc takes them by default.
make_tinc() {
  local i directory
  bridge=br0 mtu=1437
  for i in 1 2; do
    directory=$work/host$i
    mkdir -p "$directory/hosts"
    printf '%s\n' "Name = host$i" "Mode = switch" "DeviceType = tap" "Interface = tinc0" "AddressFamily = ipv4" \
      "ConnectTo = host$(other $i)" > "$directory/tinc.conf"
    tincd --config="$directory" --generate-keys=2048 < /dev/null > "$work/tinc-keys$i.log" 2>&1 ||
      fail "tinc made no keys."
    rm "$work/tinc-keys$i.log"
    printf '%s\n' "Address = $(address $i)" "Cipher = aes-256-cbc" "Digest = sha256" "MACLength = 4" "Compression = 0" \
      >> "$directory/hosts/host$i"
  done
  tincs=()
  for i in 1 2; do
    cp "$work/host$(other $i)/hosts/host$(other $i)" "$work/host$i/hosts/"
    start "tinc$i" "$(host $i)" tincd --config="$work/host$i" --no-detach --pidfile="$work/host$i/pid"
    tincs+=("$started")
    eventually 10 "tinc made its device on host $i" ip -n "$(host $i)" link show tinc0
    make_bridge "$(host $i)"
    ip -n "$(host $i)" link set tinc0 mtu $mtu master br0 up
  done
}
# Whatever is larger than the largest packet that tinc has tried goes by its TCP connection. SIGUSR2 makes it tell. It
# tries after the first packet between the hosts.
tinc_ready() {
  local i
  ip netns exec "$(vm 1)" ping -q -c 1 -W 1 "$(inner 2)" || return 1
  for i in 1 2; do
    kill -USR2 "${tincs[i - 1]}"
    sleep 0.1
    grep "^ host$(other $i) at" "$work/tinc$i.log" | tail -n 1 | grep -q "(min $((mtu + 14)) max" || return 1
  done
}

# ---------------------------------------------------------------------------------------------- measurements

# The machine's processor time so far, in ticks: all of it that was used, and what the hypervisor took.
used() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8, $9 }' /proc/stat; }
ticks=$(getconf CLK_TCK)
processors=$(nproc)

# ping_figures FILE: median, 99th percentile and maximum of the round trips, and the number of pings that were lost.
ping_figures() {
  local trips gone
  trips=$(round_trips "$1" | spread 3) && gone=$(lost "$1") && echo "${trips% *} ${gone% *}"
}

# run_streams STREAMS DIRECTION SECONDS FILE: direction 1 is from VM 1 to VM 2.
run_streams() {
  local options=(--congestion "$congestion")
  (($2 == 1)) || options+=(--reverse)
  ip netns exec "$(vm 1)" iperf3 -c "$(inner 2)" -t "$3" -P "$1" -J "${options[@]}" > "$4" 2> "$4.errors" ||
    fail "iperf3 failed: $(jq -r '.error // empty' "$4") $(< "$4.errors")"
}

# iperf3 opens its port anew behind each run.
listens() { [[ $(ip netns exec "$(vm 2)" ss -Hltn) == *:5201* ]]; }

# sample PATH WHAT VALUE...: what they are, throughput-table.awk tells.
sample() { echo "$*" >> "$work/samples"; }

measure_rest() { # measure_rest PATH
  local before after trips
  ip netns exec "$(vm 1)" ping -n -i 0.01 -c "$pings" "$(inner 2)" > "$work/pings" || true
  trips=$(ping_figures "$work/pings") || fail "no ping was answered."
  sample "$1 idle $trips"
  before=$(used)
  sleep "$(((seconds + 1) / 2))"
  after=$(used)
  sample "$1 rest $(awk -v b="${before% *}" -v a="${after% *}" -v t="$ticks" -v s="$(((seconds + 1) / 2))" \
    'BEGIN { printf "%.1f", 100 * (a - b) / t / s }')"
}

measure_streams() { # measure_streams PATH STREAMS DIRECTION
  local before after ping trips
  eventually 10 "iperf3 listens again" listens
  start pings "$(vm 1)" ping -n -i 0.01 "$(inner 2)"
  ping=$started
  before=$(used)
  run_streams "$2" "$3" "$seconds" "$work/iperf"
  after=$(used)
  end_processes INT "$ping"
  trips=$(ping_figures "$work/pings.log") || fail "no ping was answered under load."
  sample "$1 streams$2.$3 $(jq -r '.end | [.sum_received.bits_per_second / 1e9, .sum_received.bytes / 1e9,
    .sum_sent.retransmits, .sum_received.seconds] | @tsv' "$work/iperf" |
    awk -v before="$before" -v after="$after" -v ticks="$ticks" -v processors="$processors" -v trips="$trips" '{
      split(before, b); split(after, a)
      printf "%.3f %.3f %d %s %.1f", $1, (a[1] - b[1]) / ticks / $2, $3, trips,
        100 * (a[2] - b[2]) / ticks / $4 / processors
    }')"
}

measure_small() { # measure_small PATH
  local rates
  rates=$("$work/throughput-udp" "$(vm 1)" "$(vm 2)" "$(inner 2)" 64 "$seconds") ||
    fail "small packets were not measured."
  sample "$1 small $rates"
}

# witness PATH: a path that encrypts does not carry in clear what the VMs say, and the one in clear is seen to.
witness() {
  local dump ping=(ping -q -c 20 -i 0.02 -s 200 -p 776f76656e2d696e2d636c656172) # woven-in-clear
  start tcpdump "$(host 2)" tcpdump -i eth0 -U -w "$work/wire"
  dump=$started
  eventually 10 "tcpdump listens" grep -q "listening on" "$work/tcpdump.log"
  ip netns exec "$(vm 1)" "${ping[@]}" "$(inner 2)" > /dev/null || fail "pings were lost by $1."
  eventually 10 "tcpdump sees the pings" captured 20
  end_processes INT "$dump"
  rm "$work/tcpdump.log"
  if grep -qaF woven-in-clear "$work/wire"; then
    [[ $1 == clear ]] || fail "what the VMs say is on the underlay in clear, by $1."
  else
    [[ $1 != clear ]] || fail "the witness does not see what is on the underlay in clear."
  fi
}
captured() { # captured COUNT: large packets to host 2
  local count
  count=$(tcpdump -n -r "$work/wire" "udp and greater 242 and dst host $(address 2)" 2> /dev/null | wc -l)
  ((count >= $1))
}

# How many packets of the hosts and of the VMs were cut into fragments.
fragments() {
  local name
  for name in "$(host 1)" "$(host 2)" "$(vm 1)" "$(vm 2)"; do
    ip netns exec "$name" awk '
      /^Ip:/ && !n { n = split($0, names); next }
      /^Ip:/ { for (i = 1; i <= n; i++) if (names[i] == "FragCreates") print $i }' /proc/net/snmp
  done | awk '{ sum += $1 } END { print sum }'
}

measure() { # measure PATH
  local path=$1 i count direction
  make_pair
  "make_$path"
  for i in 1 2; do make_vm $i "$bridge" "$mtu"; done
  eventually 60 "VM 1 reaches VM 2 by $path" ip netns exec "$(vm 1)" ping -q -c 1 -W 1 "$(inner 2)"
  if [[ $path == tinc ]]; then eventually 60 "tinc has found the MTU of the path" tinc_ready; fi
  eventually 10 "a packet of $mtu bytes passes by $path" \
    ip netns exec "$(vm 1)" ping -q -c 1 -W 1 -M "do" -s $((mtu - 28)) "$(inner 2)"
  witness "$path"
  start iperf "$(vm 2)" iperf3 -s
  eventually 10 "iperf3 listens" listens
  sample "$path mtu $mtu $(idle)"
  measure_rest "$path"
  for count in "${streams[@]}"; do
    for direction in 1 2; do
      echo "throughput: $path, streams: $count, $([[ $direction == 1 ]] && echo VM 1 to VM 2 || echo VM 2 to VM 1)" >&2
      measure_streams "$path" "$count" "$direction"
    done
  done
  echo "throughput: $path, small packets" >&2
  measure_small "$path"
  sample "$path fragments $(fragments)"
  if [[ $path == weft && -n $profile ]]; then write_profiles; fi
  remove_all
}

# ---------------------------------------------------------------------------------------------- profile

readable() { if command -v swift-demangle > /dev/null; then swift-demangle --simplified; else cat; fi; }

# record NAME COMMAND...: samples by the clock, since virtual machines often have no counters of the processor.
record() {
  local name=$1 recorder data=$work/perf.data pids
  shift
  perf record -q -a -e cpu-clock -F 1999 -o "$data" > "$work/perf.log" 2>&1 &
  recorder=$!
  processes+=("$recorder")
  "$@"
  end_processes INT "$recorder"
  pids=$(IFS=,; echo "${agents[*]}")
  {
    echo "All commands, in per cent of the processors' time (idle time is that of swapper)"
    perf report -i "$data" --stdio --no-children --sort comm 2> /dev/null
    echo "weftd (processes $pids, both hosts), by thread and library"
    perf report -i "$data" --stdio --no-children --pid "$pids" --sort comm,dso 2> /dev/null
    echo "weftd, by function"
    perf report -i "$data" --stdio --no-children --pid "$pids" --percent-limit 0.2 --sort dso,symbol 2> /dev/null
  } | grep -vE '^(#.*)?$' | readable > "$profile/throughput-profile-$name.txt"
  echo "throughput: wrote $profile/throughput-profile-$name.txt" >&2
}
write_profiles() {
  record stream run_streams 1 1 "$seconds" "$work/iperf"
  record small "$work/throughput-udp" "$(vm 1)" "$(vm 2)" "$(inner 2)" 64 "$seconds" > /dev/null
}

# ---------------------------------------------------------------------------------------------- the run

version() { # version PACKAGE: of a Debian package, or nothing
  dpkg-query -W -f='${Version}' "$1" 2> /dev/null || echo "of no package"
}

free=$(idle)
echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $processors processors, Linux $(uname -r)"
echo "iperf3 $(version iperf3), guests' TCP: $congestion$(
  if wants wireguard; then printf ', wireguard-go %s' "$(version wireguard-go)"; fi
  if wants tinc; then printf ', tinc %s' "$(version tinc)"; fi)"
echo "Processors idle before the run: $free %, load $(cut -d' ' -f1-3 /proc/loadavg)"
((free >= 95)) || echo "throughput: this machine is busy; the figures are too low and do not compare." >&2

: > "$work/samples"
for path in "${paths[@]}"; do measure "$path"; done

awk -v seconds="$seconds" -v paths="${paths[*]}" -v counts="${streams[*]}" \
  -f "$root/Tests/Bench/throughput-table.awk" "$work/samples"
