# What the benchmarks share that run where the kernel has ESP: on this machine, or in the machine of Tests/Lab/vm.sh.
# To be sourced.

# pack_for_lab DIRECTORY PROGRAM...: puts programs into DIRECTORY/bin, and the libraries of Swift that they use into
# DIRECTORY/lib. Those of the system are in the lab's machine.
pack_for_lab() {
  local into=$1 program library runtime
  shift
  command -v swift > /dev/null || PATH=/opt/swift/usr/bin:$PATH
  runtime=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")/lib/swift/linux
  mkdir -p "$into"/{bin,lib}
  for program in "$@"; do
    strip --strip-debug -o "$into/bin/$(basename "$program")" "$program"
    LD_LIBRARY_PATH=$runtime ldd "$program" | sed -nE 's,.* => (/[^ ]+) \(.*,\1,p'
  done | sort -u | while IFS= read -r library; do
    case $library in
      /lib/* | /usr/lib/*) ;;
      *) cp -L "$library" "$into/lib/" ;;
    esac
  done
}

# How much of the processors nobody used during two seconds, in per cent: a busy machine makes every time longer.
idle() {
  local before after
  before=$(sed -n 's/^cpu  *//p' /proc/stat)
  sleep 2
  after=$(sed -n 's/^cpu  *//p' /proc/stat)
  awk -v before="$before" -v after="$after" 'BEGIN {
    n = split(before, b); split(after, a)
    for (i = 1; i <= n; i++) total += a[i] - b[i]
    printf "%.0f\n", 100 * (a[4] - b[4]) / total
  }'
}

# On what kernel figures of this machine are taken, in words.
kernel_words() {
  if [[ -n ${WEFT_LAB:-} ]]; then
    echo "Linux $(uname -r), $(nproc) processors of the lab's machine, emulated by QEMU (TCG): 10 to 30 times slower than" \
      "the machine itself"
  else
    echo "Linux $(uname -r), $(nproc) processors"
  fi
}
