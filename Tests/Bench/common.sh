# What all benchmarks share: how one begins and ends, waits, and comes to its programs. To be sourced by the script that
# is run, whose name its messages start with.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bench=$(basename "$0" .sh)
prefix=weft-bench-$$ # of what has a name for the whole machine
work=
processes=() # that run in the background

usage() {
  echo "$bench: $*" >&2
  exit 64
}
# fail SENTENCE: also shows the last lines of all logs of the run.
fail() {
  local log
  echo "$bench: $*" >&2
  for log in ${work:+"$work"/*.log}; do
    [[ -s $log ]] && { echo "--- $(basename "$log")" >&2; tail -n 5 "$log" >&2; } || true
  done
  exit 1
}

# begin [COMMAND]: makes the directory $work. When the script ends, however it does, COMMAND runs and $work is removed.
begin() {
  [[ $(id -u) -eq 0 ]] || fail "network namespaces need root: run it as root."
  work=$(mktemp -d "/tmp/$prefix.XXXXXX")
  at_end=${1:-true}
  trap take_down EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}
take_down() {
  local status=$?
  trap - EXIT
  trap '' INT TERM # what is begun here is finished
  set +e
  end_processes KILL "${processes[@]}"
  "$at_end"
  rm -rf "$work"
  exit "$status"
}

# end_processes SIGNAL PID...: ends some of $processes, and waits for them.
end_processes() {
  local signal=$1 pid left=()
  shift
  for pid in "$@"; do kill "-$signal" "$pid" 2> /dev/null || true; done
  for pid in "$@"; do wait "$pid" 2> /dev/null || true; done
  for pid in "${processes[@]}"; do [[ " $* " == *" $pid "* ]] || left+=("$pid"); done
  processes=("${left[@]}")
}

eventually() { # eventually SECONDS WHAT COMMAND...
  local what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" > /dev/null 2>&1; do
    ((SECONDS < end)) || fail "waited, and still not: $what."
    sleep 0.1
  done
}

find_swift() { command -v swift > /dev/null || PATH=/opt/swift/usr/bin:$PATH; }

# Sets $bin to where weftd and weft are: $WEFT_BIN_DIR, or else the release build, which is brought up to date.
find_binaries() {
  if [[ -n ${WEFT_BIN_DIR:-} ]]; then
    bin=$(cd "$WEFT_BIN_DIR" && pwd)
  else
    local build=(swift build --package-path "$root" -c release)
    find_swift
    "${build[@]}" --product weftd
    "${build[@]}" --product weft
    bin=$("${build[@]}" --show-bin-path)
  fi
  [[ -x $bin/weftd && -x $bin/weft ]] || fail "no weftd and weft in $bin."
}

# compile PROGRAM: puts it into $work.
compile() { cc -O2 -Wall -Wextra -o "$work/$1" "$root/Tests/Bench/$1.c"; }
