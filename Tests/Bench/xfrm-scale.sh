#!/usr/bin/env bash
# What the SAs and IPsec policies of one host cost in the largest pool: 63 other hosts; all encrypted networks by VXLAN,
# which share one port, or ten of GRE besides, each with a key of its own. By the agent's own code (a suite of the kernel
# tests, release build), without the network and without the agreement on keys.
#
#   close     all ways closed before anything is opened: wide block policies, and the packet filter
#   install   an SA in each direction with every host, and the policies that use them
#   verify    everything is dumped and compared with what should stand, and nothing is amiss: the agent does so every 30 s
#   rekey     new SAs in both directions with every host, and every outbound policy turned to the new one
#   retire    the SAs before them taken away
#   policies: set, verify, turn     the policies alone, as they need no ESP
#
# The baseline of the same run is the program ip with the same objects, all of a step in one batch.
#
#   Tests/Bench/xfrm-scale.sh [--here | --policies-only] [ROUNDS]     as root
#
#   ROUNDS           of which the medians are told, 1 to 100 (5)
#   --policies-only  the policies alone, on this machine's kernel
#   --here           everything on this machine's kernel, which has to have ESP; without it in the kernel lab, and after
#                    it the policies alone on this machine's kernel
#   WEFT_TEST_BUNDLE use these tests (a release build with -enable-testing) in place of building them in .build/bench, which
#                    takes twenty minutes of two processors the first time
set -euo pipefail
export LC_ALL=C

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
. "$root/Tests/Bench/figures.sh"

part=lab
rounds=5
for word in "$@"; do
  case $word in
    --here) part=here ;;
    --policies-only) part=policies ;;
    *) rounds=$word ;;
  esac
done
[[ $rounds =~ ^[0-9]+$ ]] && ((rounds >= 1 && rounds <= 100)) || usage "give a number of rounds from 1 to 100."
begin

find_swift
bundle=${WEFT_TEST_BUNDLE:+$(realpath "$WEFT_TEST_BUNDLE")}
cd "$root"
if [[ -z $bundle ]]; then
  # -enable-testing goes into every module, so the build has a directory of its own.
  build=(swift build -c release --build-tests -Xswiftc -enable-testing --scratch-path .build/bench)
  "${build[@]}" >&2
  bundle=$(cd "$("${build[@]}" --show-bin-path)" && pwd)/weftPackageTests.xctest
fi
[[ -f $bundle ]] || fail "there is no $bundle."

# A program that runs the suite where it is, and says on what.
mkdir -p "$work/lab"
cat > "$work/lab/run" << END
#!/bin/bash
$(declare -f idle kernel_words)
here=\$(dirname "\$0")
echo "on|\$(kernel_words), \$(idle) % idle before"
[[ -z \${WEFT_LAB:-} ]] || export LD_LIBRARY_PATH=\$here/lib
export SWIFT_BACKTRACE=enable=no WEFT_BENCH=$rounds
exec "\${SUITE:-\$here/bin/$(basename "$bundle")}" --testing-library swift-testing --filter "XFRMScaleBench\${ONLY:-}"
END
chmod 755 "$work/lab/run"

# measure COMMAND...: shows what the suite says as a table.
measure() {
  local status=0
  "$@" > "$work/output" 2>&1 || status=$?
  if ((status != 0)) || ! grep -q '^xfrm-scale|' "$work/output"; then
    tail -n 40 "$work/output" >&2
    fail "the suite ended with $status, or measured nothing."
  fi
  echo
  echo "SAs and policies with 63 hosts, medians of $rounds rounds"
  sed -nE 's/^on\|//p' "$work/output"
  printf '%-6s %-20s %-17s %-26s %9s %9s %6s\n' family "encrypted networks" step of "agent, ms" "ip, ms" ratio
  sed -nE 's/^xfrm-scale\|//p' "$work/output" | tr -d '\r' | awk -F'|' '{
    printf "%-6s %-20s %-17s %-26s %9.1f %9.1f %6.2f\n", $1, $2, $3, $4, $5, $6, $5 / $6
  }'
}

if [[ $part == lab ]]; then
  echo "In the kernel lab; outside of it, processors were $(idle) % idle before"
  . "$root/Tests/Lab/pack.sh"
  pack_for_lab "$work/lab" "$bundle"
  measure Tests/Lab/vm.sh "$work/lab"
  part=policies
fi
case $part in
  here) SUITE=$bundle measure "$work/lab/run" ;;
  policies) SUITE=$bundle ONLY=/policies measure "$work/lab/run" ;;
esac
