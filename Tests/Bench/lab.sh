# What the benchmarks share that run where the kernel has ESP: on this machine, or in the machine of Tests/Lab/vm.sh.
# To be sourced after common.sh.

# pack_for_lab DIRECTORY PROGRAM...: puts programs into DIRECTORY/bin, and the libraries of Swift that they use into
# DIRECTORY/lib. Those of the system are in the lab's machine.
pack_for_lab() {
  local into=$1 program library runtime
  shift
  find_swift
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

# On what kernel figures of this machine are taken, in words.
kernel_words() {
  if [[ -n ${WEFT_LAB:-} ]]; then
    echo "Linux $(uname -r), $(nproc) processors of the lab's machine, emulated by QEMU (TCG): 10 to 30 times slower than" \
      "the machine itself"
  else
    echo "Linux $(uname -r), $(nproc) processors"
  fi
}
