#!/usr/bin/env bash
# Every test of Weft: packages that are missing, a debug build, format, arrows, unit tests, simulation, kernel tests, end
# to end tests with the real binaries, a short run of the fuzz targets, the quickstart and short runs of the benchmarks
# with a release build, and in a virtual machine with a full kernel the kernel tests and those of encrypted networks.
# The last line counts them: `N passed, M failed`; the exit code is not 0 if one failed.
#
#   Tests/run.sh [STAGE ...]     as root; all stages, or some of:
#                                style unit simulation kernel end-to-end fuzz quickstart lab bench
set -uo pipefail
export LC_ALL=C.UTF-8 NO_COLOR=1

cd "$(dirname "${BASH_SOURCE[0]}")/.."
stages=("$@")
((${#stages[@]} > 0)) || stages=(style unit simulation kernel end-to-end fuzz quickstart lab bench)
passed=0
failed=0
failures=()
started=$SECONDS
logs=$(mktemp -d /tmp/weft-run.XXXXXX)
trap 'rm -rf "$logs"' EXIT

say() { printf '\n=== %s (after %d min %02d s)\n' "$*" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }
pass() { passed=$((passed + 1)); echo "✔ $*"; }
fail() { failed=$((failed + 1)); failures+=("$*"); echo "✘ $*"; }
finish() {
  if ((${#failures[@]} > 0)); then
    printf '\nfailed:\n'
    printf '  %s\n' "${failures[@]}"
  fi
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0 && passed > 0))
  exit
}
# give_up SENTENCE: nothing after it could work.
give_up() { fail "$*"; finish; }
wanted() { [[ " ${stages[*]} " == *" $1 "* ]]; }
# check WHAT COMMAND...: one test that is a command.
check() {
  local what=$1
  shift
  if "$@"; then pass "$what"; else fail "$what"; fi
}

# ---------------------------------------------------------------------------------------------- packages

[[ $(id -u) -eq 0 ]] || give_up "the tests make network namespaces and need root: run them as root."
packages=(
  build-essential pkg-config libnl-3-dev libnl-route-3-dev libssl-dev
  iproute2 nftables tcpdump iperf3 dnsmasq-base udhcpc socat jq iputils-ping iputils-arping procps util-linux
  qemu-system-x86 busybox-static cpio e2fsprogs kmod ebtables hostname python3-scapy python3-cryptography libipsec-mb1
)
missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == "install ok installed" ]] || missing+=("$package")
done
if ((${#missing[@]} > 0)); then
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > "$logs/apt" 2>&1 ||
    { cat "$logs/apt"; give_up "apt-get could not install ${missing[*]}"; }
fi
command -v swift > /dev/null || PATH=/opt/swift/usr/bin:$PATH
command -v swift > /dev/null || give_up "there is no Swift toolchain in PATH: install Swift 6.3 or later."

# ---------------------------------------------------------------------------------------------- build

if wanted unit || wanted simulation || wanted kernel || wanted end-to-end || wanted lab; then
  say "debug build with tests"
  swift build --build-tests --explicit-target-dependency-import-check error 2>&1 | tee "$logs/build"
  ((PIPESTATUS[0] == 0)) || give_up "the debug build"
  pass "the debug build: no warning of ours, and every target declares what it imports"
fi

# ---------------------------------------------------------------------------------------------- tests of Swift

tests=(.build/debug/weftPackageTests.xctest --testing-library swift-testing)

# suite STAGE SECONDS TARGET OPTIONS...: the tests of one target.
suite() {
  local stage=$1 seconds=$2 target=$3
  shift 3
  say "$stage tests: $target"
  count "$target" "$seconds" timeout --kill-after=30 "$seconds" "${tests[@]}" --filter "^$target\\." "$@"
}

# count TARGET SECONDS COMMAND...: counts the tests that a command runs; a run that crashed or hung counts as a failure.
count() {
  local target=$1 seconds=$2 status log=$logs/$1
  shift 2
  "$@" 2>&1 | tee "$log" | grep --line-buffered -v '^◇ Test case '
  status=${PIPESTATUS[0]}
  local good bad skipped
  good=$(grep -E '^✔ Test ' "$log" | grep -vE '^✔ Test (run|case) ' | grep -c ' passed after ')
  bad=$(grep -E '^✘ Test ' "$log" | grep -vE '^✘ Test (run|case) ' | grep -c ' failed after ')
  skipped=$(grep -cE '^[^ ]+ Test .* skipped' "$log")
  passed=$((passed + good))
  failed=$((failed + bad))
  while IFS= read -r line; do failures+=("$line"); done < <(
    grep -E '^✘ Test ' "$log" | grep -vE '^✘ Test (run|case) ' | grep ' failed after ' |
      sed -E 's/^✘ Test (.*) failed after .*/\1/')
  if ((status == 124 || status == 137)); then
    fail "$target ran for more than $seconds s and was ended"
  elif ((status != 0 && bad == 0)); then
    fail "the runner of $target ended with $status"
  elif ((good + bad == 0)); then
    fail "there was no test of $target to run"
  fi
  echo "$target: $good passed, $bad failed, $skipped skipped"
}

# beside FILE OPTION...: end-to-end tests with networks in user space, while something else runs. See `show`.
others=()
beside() {
  local file=$1
  shift
  (
    WEFT_TEST_PATH=user timeout --kill-after=30 1800 "${tests[@]}" --no-parallel "$@" > "$file" 2>&1
    echo $? > "$file.status"
  ) &
  others+=($!)
}

# show FILE: what a command that has ended printed; gives its status.
show() {
  cat "$1"
  return "$(< "$1.status")"
}

# Namespaces and processes of a test run that was ended by force.
sweep() {
  local name owner pid
  for name in $(ip netns list 2> /dev/null | awk '{ print $1 }' | grep -E '^weft-test-[0-9]+-'); do
    owner=$(cut -d- -f3 <<< "$name")
    [[ -d /proc/$owner ]] && continue
    for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2> /dev/null; done
    ip netns delete "$name"
  done
}

release_build() { swift build -c release --product weftd && swift build -c release --product weft; }

# What later stages build, ahead, with what the end-to-end tests leave of the processors; they say it if it fails.
build_ahead() {
  if wanted quickstart || wanted lab || wanted bench; then release_build; fi
  if wanted fuzz; then Tests/Fuzz/run.sh build; fi
}

if wanted style; then
  say "style"
  check "the format of every Swift file" swift format lint --strict -r Sources Tests Package.swift
  for script in Deploy/*.sh Tests/*.sh Tests/Bench/*.sh Tests/Fuzz/*.sh Tests/Lab/*.sh .ci/run; do
    check "the syntax of $script" bash -n "$script"
  done
  Tests/arrows.sh | tee "$logs/arrows"
  read -r good bad < <(sed -nE 's/^arrows: ([0-9]+) checks passed, ([0-9]+) failed$/\1 \2/p' "$logs/arrows")
  passed=$((passed + ${good:-0}))
  failed=$((failed + ${bad:-1}))
  while IFS= read -r line; do failures+=("$line"); done < <(grep ':$' "$logs/arrows")
fi
if wanted unit; then
  # One target after the other: tests with real sockets and time limits do not compete with those that only compute.
  for target in $(find Tests -mindepth 1 -maxdepth 1 -name '*Tests' -printf '%f\n' |
    grep -vxE 'SimulationTests|KernelTests|EndToEndTests' | sort); do
    suite unit 900 "$target"
  done
fi
wanted simulation && suite simulation 1200 SimulationTests
wanted kernel && suite kernel 600 KernelTests
if wanted end-to-end; then
  (renice -n 19 "$BASHPID" && build_ahead) > "$logs/ahead" 2>&1 &
  ahead=$!
  # Both packet paths at the same time, as the scenarios wait more than they compute; in user space in two halves.
  beside "$logs/user-encrypted" --filter '^EndToEndTests\.EndToEnd/Encrypted'
  beside "$logs/user-others" --filter '^EndToEndTests\.' --skip '^EndToEndTests\.EndToEnd/Encrypted'
  suite end-to-end 1800 EndToEndTests --no-parallel
  wait "${others[@]}" "$ahead"
  for part in encrypted others; do
    say "end-to-end tests with all networks encrypted in user space: $part"
    count "EndToEndTests in user space, $part" 1800 show "$logs/user-$part"
  done
  sweep
fi

# ---------------------------------------------------------------------------------------------- fuzz targets

if wanted fuzz; then
  say "fuzz targets, short"
  check "20 seconds of changed bytes for each fuzz target" Tests/Fuzz/run.sh 20
fi

# ---------------------------------------------------------------------------------------------- tests of the release build

if wanted quickstart; then
  say "quickstart"
  check "the quickstart" Deploy/quickstart.sh
fi
if wanted lab; then
  # The machine has no KVM and is slow: release binaries, and those of this very run.
  say "release build for the kernel lab"
  release_build || give_up "the release build for the kernel lab"
  release=$(swift build -c release --show-bin-path)
  say "kernel lab: KernelTests"
  count "KernelTests in the lab" 1800 env WEFT_LAB_SECONDS=1800 WEFT_BIN_DIR="$release" Tests/Lab/run.sh '^KernelTests\.'
  say "kernel lab: encrypted networks"
  count "EndToEndTests in the lab" 3600 env WEFT_LAB_SECONDS=3600 WEFT_LAB_OUTPUT="$logs/lab" WEFT_BIN_DIR="$release" \
    Tests/Lab/run.sh '^EndToEndTests\.EndToEnd/Encrypted' --no-parallel
  check "another implementation of ESP opens the packets" Tests/Lab/open-esp.py "$logs/lab"
fi
if wanted bench; then
  say "benchmark, short"
  check "the benchmark of re-homing with three hosts" Tests/Bench/rehome.sh 3
  check "the benchmark of throughput, short" Tests/Bench/throughput.sh --quick
fi
finish
