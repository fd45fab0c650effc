#!/usr/bin/env bash
# What a rekey of a whole pool costs. Real agents (release build) on three hosts that are network namespaces, an encrypted
# network, a VM on each host, pings between all of them, a hundred a second for each pair; then `weft pool rekey` again
# and again, a second apart. Measured is the time from the start of the command until the last of the six outbound
# policies (three hosts, each to two others) was turned to a new SA, as the kernel tells by its notices, and how many pings
# were lost during all of it.
#
# The baseline of the same run is the round trip between two hosts under the same pings. Both are taken twice, the second
# time with a delay on the underlay: what that adds to a rekey, divided by what it adds to a round trip, is how many round
# trips a rekey waits for, whatever the processors take.
#
#   Tests/Bench/rekey.sh [--here] [COUNT]     as root
#
#   COUNT           rekeys of each part, 3 to 500 (20)
#   --here          on this machine's kernel, which has to have ESP, and netem for the delay; else in the kernel lab
#   WEFT_BIN_DIR    use the binaries that are there
#   WEFT_BENCH_DELAY  milliseconds that the delayed round trip is longer (150)
set -euo pipefail
export LC_ALL=C TZ=UTC

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$root/Tests/Bench/hosts.sh"
. "$root/Tests/Bench/figures.sh"

hosts=3
here=
count=20
for word in "$@"; do
  case $word in
    --here) here=1 ;;
    *) count=$word ;;
  esac
done
[[ $count =~ ^[0-9]+$ ]] && ((count >= 3 && count <= 500)) || usage "give a count from 3 to 500."
delay=${WEFT_BENCH_DELAY:-150}

begin remove_hosts
find_binaries

if [[ -z $here ]]; then
  echo "In the kernel lab; outside of it, processors were $(idle) % idle before"
  mkdir -p "$work/lab/Tests/Bench"
  . "$root/Tests/Lab/pack.sh"
  pack_for_lab "$work/lab" "$bin/weftd" "$bin/weft"
  cp "$root"/Tests/Bench/*.sh "$work/lab/Tests/Bench/"
  printf '#!/bin/bash\nexport LD_LIBRARY_PATH=/lab/lib WEFT_BIN_DIR=/lab/bin WEFT_BENCH_DELAY=%q\n%s\n' \
    "$delay" "exec Tests/Bench/rekey.sh --here $count" > "$work/lab/run"
  chmod 755 "$work/lab/run"
  "$root/Tests/Lab/vm.sh" "$work/lab"
  exit
fi

# ---------------------------------------------------------------------------------------------- the pool

established() { [[ $(weft "$1" pool status --json | jq '.keys.established') == $((hosts - 1)) ]]; }
reaches() { ip netns exec "$(vm "$1")" ping -q -c 1 -W 1 "$(inner "$2")"; }

start_pool() {
  local i bridge mtu
  make_hosts $hosts
  for ((i = 1; i <= hosts; i++)); do start_agent $i "$bin/weftd"; done
  make_pool $hosts
  weft 1 network create bench > /dev/null || fail "there is no encrypted network: does this kernel have ESP?"
  for ((i = 1; i <= hosts; i++)); do eventually 60 "host $i has keys with all others" established $i; done

  read -r bridge mtu < <(weft 1 network show bench --json | jq -r '"\(.bridge) \(.mtu)"')
  for ((i = 1; i <= hosts; i++)); do make_vm $i "$bridge" "$mtu"; done
  for ((i = 1; i <= hosts; i++)); do
    eventually 60 "VM $i reaches the next one" reaches $i $((i % hosts + 1))
  done
}

# ---------------------------------------------------------------------------------------------- one part

# The times of all rekeys of a part, in ms: from the command to the last outbound policy that was turned, and from the
# first one. Notices have the time at which they were read.
times() { # times ORDERS NOTICES...
  awk -v pairs=$((hosts * (hosts - 1))) '
    # [2026-01-31T12:00:00.123456] Updated src 192.0.2.1/32 dst 192.0.2.2/32 proto udp dport 7679, then: dir out …
    function seconds(stamp,  parts) {
      gsub(/[][]/, "", stamp); split(stamp, parts, /[-T:.]/)
      return mktime(parts[1] " " parts[2] " " parts[3] " " parts[4] " " parts[5] " " parts[6]) + ("0." parts[7])
    }
    FNR == NR { orders[FNR] = $1; count = FNR; next }
    /^\[/ { stamp = $1; subject = ""; if ($2 == "Updated") subject = $4 ">" $6 }
    /dir out/ && subject != "" { event[++events] = sprintf("%.6f %s", seconds(stamp), subject); subject = "" }
    END {
      for (i = 1; i <= events; i++) {
        split(event[i], e, " ")
        for (k = count; k >= 1 && orders[k] > e[1]; k--) ;
        if (k == 0) continue
        if (!((k, e[2]) in turns)) { turns[k, e[2]] = 1; pairsOf[k]++ }
        if (!(k in firstOf) || e[1] < firstOf[k]) firstOf[k] = e[1]
        if (e[1] > lastOf[k]) lastOf[k] = e[1]
      }
      for (k = 1; k <= count; k++)
        if (pairsOf[k] == pairs) printf "%.1f %.1f\n", (lastOf[k] - orders[k]) * 1000, (lastOf[k] - firstOf[k]) * 1000
    }' "$@"
}

# How long a command takes that only asks this host, in ms: what of the times is the program's start.
asking() {
  local k start end
  for ((k = 0; k < 10; k++)); do
    start=$EPOCHREALTIME
    weft 1 pool status > /dev/null
    end=$EPOCHREALTIME
    echo $(((${end/./} - ${start/./}) / 1000))
  done | spread 6
}

measure() { # measure LABEL
  local label=$1 pings=() watchers=() i k ordered trip whole turning ask complete gone=0 sent=0 one all free
  free=$(idle)
  for ((i = 1; i <= hosts; i++)); do
    start "ping$i" "$(vm $i)" ping -i 0.01 "$(inner $((i % hosts + 1)))"
    pings+=("$started")
    start "notices$i" "$(host $i)" ip -ts xfrm monitor policy
    watchers+=("$started")
  done
  sleep 1
  trip=$(ip netns exec "$(host 1)" ping -c 50 -i 0.05 "$(address 2)" | round_trips | spread 6)
  ask=$(asking)
  : > "$work/orders"
  for ((k = 1; k <= count; k++)); do
    ordered=$EPOCHREALTIME
    weft 1 pool rekey > /dev/null || fail "the order for a rekey was not obeyed."
    echo "$ordered" >> "$work/orders"
    sleep 1
    for ((i = 1; i <= hosts; i++)); do eventually 60 "host $i has new keys with all others" established $i; done
  done
  sleep 1
  end_processes INT "${pings[@]}"
  end_processes TERM "${watchers[@]}"
  for ((i = 1; i <= hosts; i++)); do
    read -r one all < <(lost "$work/ping$i.log") || fail "a ping ended without a summary."
    gone=$((gone + one))
    sent=$((sent + all))
  done
  times "$work/orders" "$work"/notices*.log > "$work/times"
  complete=$(wc -l < "$work/times")
  ((complete > 0)) || fail "no rekey turned all policies: $(head -c 300 "$work/notices1.log")"
  whole=$(cut -d' ' -f1 "$work/times" | spread 6)
  turning=$(cut -d' ' -f2 "$work/times" | spread 6)
  awk -v label="$label" -v trip="$trip" -v whole="$whole" -v turning="$turning" -v complete="$complete" -v count="$count" \
    -v gone="$gone" -v sent="$sent" -v free="$free" -v ask="$ask" 'BEGIN {
    split(trip, r); split(whole, w); split(turning, t); split(ask, a)
    printf "%-10s %8.2f %8.1f %8.1f %8.1f %8.1f %8.1f %8.1f  %-8s %-14s %s %%\n", label, r[1], a[1], w[1], w[3], t[1],
      t[3], w[1] / r[1], complete " of " count, gone " of " sent, free
  }' >> "$work/table"
  echo "${trip%% *} ${whole%% *} ${turning%% *}" >> "$work/medians"
}

add_delay() {
  local i
  for ((i = 1; i <= hosts; i++)); do
    tc -n "$prefix-underlay" qdisc add dev "host$i" root netem delay "$((delay * 500))us" limit 100000 2> /dev/null ||
      return 1
  done
}

start_pool
echo "rekey: $count rekeys as they are" >&2
measure "as it is"
if add_delay; then
  echo "rekey: $count rekeys with $delay ms more from host to host and back" >&2
  measure "+ $delay ms"
fi

echo
cat << END
Rekeys of $hosts hosts, ms
$(kernel_words)
  RTT      between two hosts, under the pings          status    weft pool status, which only asks
  rekey    from the command to the last policy turned  turning   from the first policy turned to the last
END
printf '%-10s %8s %8s %8s %8s %8s %8s %8s  %-8s %-14s %s\n' underlay RTT status rekey max turning max rekey/RTT \
  rekeys "pings lost" "idle before"
cat "$work/table"
if (($(wc -l < "$work/medians") == 2)); then
  awk '{ trip[NR] = $1; whole[NR] = $2; turning[NR] = $3 }
    END {
      more = trip[2] - trip[1]
      printf "The delay made a round trip %.0f ms longer and a rekey %.0f ms (%.1f round trips),", more,
        whole[2] - whole[1], (whole[2] - whole[1]) / more
      printf " the time from the first policy turned to the last %.0f ms (%.1f).\n", turning[2] - turning[1],
        (turning[2] - turning[1]) / more
    }' "$work/medians"
else
  echo "This kernel has no netem: how many round trips a rekey waits for was not measured."
fi
