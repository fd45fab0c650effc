#!/usr/bin/env bash
# Runs one suite of the Swift tests in the lab's machine, whose kernel has everything (see vm.sh).
#
#   Tests/Lab/run.sh FILTER [OPTION ...]       FILTER and OPTION as for `swift test`: KernelTests, EndToEndTests.EndToEnd/
#                                              Traffic, …; --no-parallel and the like
#
#   WEFT_TEST_BUNDLE    the tests (.build/debug/weftPackageTests.xctest; `swift build --build-tests` makes it)
#   WEFT_BIN_DIR        where weftd and weft are (.build/release if they are there, else beside the tests)
#   WEFT_LAB_OUTPUT     a directory for what the tests leave in /out, which is $WEFT_TEST_OUTPUT to them
#   WEFT_TEST_PATIENCE  factor of every time limit of the tests (6): the machine is 10 to 30 times slower
#   and those of vm.sh
#
# Ends with 0 if there was a test and none failed.
set -euo pipefail
export LC_ALL=C.UTF-8

start=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. Tests/Lab/pack.sh
give_up() {
  echo "Tests/Lab/run.sh: $*" >&2
  exit 1
}
# from_start PATH: a path as the caller means it.
from_start() { [[ $1 == /* ]] && echo "$1" || echo "$start/$1"; }

(($# > 0)) || give_up "say which tests to run: Tests/Lab/run.sh FILTER"
command -v swift > /dev/null || PATH=/opt/swift/usr/bin:$PATH
command -v swift > /dev/null || give_up "there is no Swift toolchain in PATH."
bundle=$(from_start "${WEFT_TEST_BUNDLE:-$PWD/.build/debug/weftPackageTests.xctest}")
[[ -f $bundle ]] || give_up "there is no $bundle: build it with swift build --build-tests, or set WEFT_TEST_BUNDLE."
if [[ -n ${WEFT_BIN_DIR:-} ]]; then
  binaries=$(from_start "$WEFT_BIN_DIR")
elif [[ -z ${WEFT_TEST_BUNDLE:-} && -x .build/release/weftd && -x .build/release/weft ]]; then
  binaries=$PWD/.build/release
else
  binaries=$(dirname "$bundle")
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/weft-lab-run.XXXXXX")
trap 'rm -rf "$work"' EXIT
programs=("$bundle")
for program in weftd weft; do
  if [[ -x $binaries/$program ]]; then programs+=("$binaries/$program"); fi
done
pack_for_lab "$work/lab" "${programs[@]}"
printf -v words ' %q' "$@"
cat > "$work/lab/run" << END
#!/bin/bash
export LD_LIBRARY_PATH=/lab/lib WEFT_BIN_DIR=/lab/bin WEFT_TEST_OUTPUT=/out SWIFT_BACKTRACE=enable=no
export WEFT_TEST_PATIENCE=${WEFT_TEST_PATIENCE:-6}
exec bin/$(basename "$bundle") --testing-library swift-testing --filter$words
END
chmod 755 "$work/lab/run"

status=0
Tests/Lab/vm.sh "$work/lab" ${WEFT_LAB_OUTPUT:+"$(from_start "$WEFT_LAB_OUTPUT")"} | tee "$work/log" || status=$?
((status == 0)) || exit "$status"
# In one program: `grep -q` behind a pipe ends early, and a writer that it leaves behind counts as a failure.
awk '/^✔ Test / && !/^✔ Test run / { passed++ } END { exit passed == 0 }' "$work/log" ||
  give_up "no test passed: is there one that $1 names?"
