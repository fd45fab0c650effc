#!/usr/bin/env bash
# Throws changed bytes at all that reads bytes from outside, with libFuzzer: for each target a corpus that grows from run to
# run, limits of memory and time, and checks beyond "it does not crash" (see Targets/).
#
#   Tests/Fuzz/run.sh [SECONDS] [TARGET ...]     20 seconds for each target; all of them
#   Tests/Fuzz/run.sh build                      only builds
#
# Prints a line for each target with its executions. An input that crashes, hangs or needs too much memory is kept and
# named, and the exit code is 1. Build and corpora stay in WEFT_FUZZ_HOME (by default ~/.cache/weft-fuzz); WEFT_FUZZ_BINARY
# names a binary that is built already.
set -uo pipefail
export LC_ALL=C.UTF-8

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-20}
targets=("${@:2}")
((${#targets[@]} > 0)) || targets=(datagram gossip registry sync peer text stored wire keys packets esp)
[[ $seconds =~ ^([1-9][0-9]*|build)$ ]] ||
  { echo "run.sh: the first argument is a number of seconds or 'build', not '$seconds'." >&2; exit 64; }
home=${WEFT_FUZZ_HOME:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/weft-fuzz}
mkdir -p "$home/found" "$home/logs" || exit 1
command -v swift > /dev/null || PATH=/opt/swift/usr/bin:$PATH

binary=${WEFT_FUZZ_BINARY:-}
if [[ -z $binary ]]; then
  echo "building the fuzz targets"
  FUZZ=1 swift build --scratch-path "$home/build" --product WeftFuzz > "$home/logs/build" 2>&1 ||
    { tail -n 40 "$home/logs/build"; echo "run.sh: the fuzz targets do not build." >&2; exit 1; }
  binary=$(FUZZ=1 swift build --scratch-path "$home/build" --show-bin-path)/WeftFuzz
fi
[[ $seconds != build ]] || exit 0

# fuzz TARGET: one target, and its line.
fuzz() {
  local target=$1 corpus=$home/corpus/$1 log=$home/logs/$1 status executions coverage memory found
  mkdir -p "$corpus"
  # The seeds are written by the target itself, before the fuzzer reads the corpus.
  WEFT_FUZZ_TARGET=$target WEFT_FUZZ_SEEDS=$corpus SWIFT_BACKTRACE=enable=no \
    timeout --kill-after=10 $((seconds + 120)) "$binary" -max_total_time="$seconds" -rss_limit_mb=512 -timeout=5 \
    -print_final_stats=1 -artifact_prefix="$home/found/$target-" "$corpus" > "$log" 2>&1
  status=$?
  executions=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+)$/\1/p' "$log")
  coverage=$(sed -nE 's/.* cov: ([0-9]+) .*/\1/p' "$log" | tail -n 1)
  memory=$(sed -nE 's/^stat::peak_rss_mb: *([0-9]+)$/\1/p' "$log")
  if ((status == 0)); then
    echo "$target: ${executions:-?} executions, ${coverage:-?} edges, ${memory:-?} MB"
    return 0
  fi
  found=$(sed -nE 's/.*Test unit written to (.*)$/\1/p' "$log" | tail -n 1)
  echo "$target: FAILED after ${executions:-?} executions"
  grep -E 'Fatal error|ERROR: libFuzzer|libFuzzer: ' "$log" | head -n 4 | sed 's/^/  /'
  [[ -z $found ]] || echo "  again: WEFT_FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no $binary $found"
  return 1
}

# As many at once as there are processors.
failed=0
running=0
for target in "${targets[@]}"; do
  if ((running >= $(nproc))); then
    wait -n || failed=1
    running=$((running - 1))
  fi
  fuzz "$target" &
  running=$((running + 1))
done
while ((running > 0)); do
  wait -n || failed=1
  running=$((running - 1))
done
exit $failed
