# How programs of this build come into the machine of vm.sh. To be sourced.

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
