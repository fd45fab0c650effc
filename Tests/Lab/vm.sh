#!/usr/bin/env bash
# Runs a directory in a virtual machine with a full kernel: Debian's cloud kernel under QEMU, without KVM. The kernel has
# what many build machines lack (ESP, AES-GCM, gretap, netem, bridge with VLAN filtering) and loads its modules on demand.
#
#   Tests/Lab/vm.sh DIRECTORY [OUTPUT]
#
# Boots, copies of DIRECTORY in /lab, runs /lab/run as root with the working directory /lab, and shows what it prints.
# What it leaves in /out is brought back into OUTPUT. Ends with the exit code of /lab/run; 124 if it took too long, 125 if
# the machine ended without a result, as after a panic. Nothing of a run stays behind.
#
#   WEFT_LAB_SECONDS   bound on the whole run (1200)
#   WEFT_LAB_MEMORY    of the machine, in MiB (2048)
#   WEFT_LAB_DISK      room for DIRECTORY and what the run writes to /lab, in MiB (1024 more than DIRECTORY)
#   WEFT_LAB_CACHE     where kernel and root disk are kept (${XDG_CACHE_HOME:-~/.cache}/weft-lab)
#
# The machine's programs are those of this one: the files of the packages below, of those of the libraries that programs in
# DIRECTORY are linked with, and of what all these depend on.
set -euo pipefail
export LC_ALL=C.UTF-8

packages=(
  bash coreutils dash debianutils diffutils findutils gawk grep gzip hostname kmod libc-bin mawk mount netbase procps sed
  tar util-linux
  iproute2 nftables ebtables tcpdump iperf3 dnsmasq-base udhcpc socat jq iputils-ping iputils-arping ethtool strace
  libnl-3-200 libnl-route-3-200 libnl-xfrm-3-200 libnl-genl-3-200 libstdc++6 libatomic1
)

give_up() {
  echo "Tests/Lab/vm.sh: $*" >&2
  exit 125
}
(($# == 1 || $# == 2)) || give_up "say which directory to run: Tests/Lab/vm.sh DIRECTORY [OUTPUT]"
directory=$1
output=${2:-}
[[ -x $directory/run ]] || give_up "$directory has no program named run: put one there."
for program in qemu-system-x86_64 mke2fs cpio depmod busybox dpkg-deb; do
  command -v "$program" > /dev/null || PATH=$PATH:/usr/sbin:/sbin
  command -v "$program" > /dev/null ||
    give_up "there is no $program: install qemu-system-x86, e2fsprogs, cpio, kmod and busybox-static."
done
cache=${WEFT_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-lab}
mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/weft-lab.XXXXXX")
machine=
clean() {
  # `timeout` passes the signal on to the machine, which it would outlive.
  if [[ -n $machine ]] && kill -TERM "$machine" 2> /dev/null; then wait "$machine" 2> /dev/null || true; fi
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

# ---------------------------------------------------------------------------------------------- the kernel

# The package that the name of the newest kernel stands for.
real_package() { apt-cache depends linux-image-cloud-amd64 2> /dev/null | sed -nE 's/^ *Depends: (linux-image-.*)$/\1/p'; }

# Unpacks the kernel's package into $cache/KERNEL, with an initramfs that finds the root disk.
prepare_kernel() {
  local package=$1 into=$work/kernel version module
  mkdir "$into" "$work/download"
  echo "lab: fetching $package" >&2
  (cd "$work/download" && { apt-get download -qq "$package" || { apt-get update -qq && apt-get download -qq "$package"; }; }) \
    > "$work/apt" 2>&1 || { cat "$work/apt" >&2; give_up "apt-get could not download $package."; }
  dpkg-deb -x "$work/download/"*.deb "$into"
  rm -rf "$work/download" "$into/usr"
  version=$(ls "$into/lib/modules")
  depmod -b "$into" "$version"
  mv "$into/boot/vmlinuz-$version" "$into/vmlinuz"
  rm -rf "$into/boot"

  # The initramfs mounts the first disk and goes there; what it loads is listed with dependencies first.
  mkdir -p "$work/initramfs"/{bin,dev,proc,sys,root,modules}
  cp "$(command -v busybox)" "$work/initramfs/bin/busybox"
  modprobe -d "$into" -S "$version" -a --show-depends virtio_pci virtio_blk ext4 crc32c_generic 2> /dev/null |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$work/order"
  while read -r module; do
    cp "$module" "$work/initramfs/modules/"
    basename "$module"
  done < "$work/order" > "$work/initramfs/order"
  cat > "$work/initramfs/init" << 'END'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done < /order
/bin/busybox mount -t ext4 -o noatime /dev/vda /root || echo "lab: no root disk"
/bin/busybox mount -o move /dev /root/dev
/bin/busybox umount /proc
exec /bin/busybox switch_root /root /lab-init
END
  chmod 755 "$work/initramfs/init"
  (cd "$work/initramfs" && find . | cpio --quiet -o -H newc -R 0:0) > "$into/initramfs"
  rm -rf "$cache/$package"
  mv "$into" "$cache/$package"
}

# ---------------------------------------------------------------------------------------------- the root disk

# The packages of the system's libraries that the programs in DIRECTORY are linked with.
linked_packages() {
  local library
  find "$directory" -type f \( -perm -u+x -o -name '*.so*' \) -exec ldd {} + 2> /dev/null |
    sed -nE 's,.* => (/usr)?(/lib[^ ]*) \(.*,\2,p' | sort -u |
    while IFS= read -r library; do
      # A package lists a file where it was before /lib became a link, or where it is now.
      dpkg-query -S "$library" "/usr$library" 2> /dev/null || true
    done | sed -nE 's/^([a-z0-9.+-]+)(:[a-z0-9]+)?: .*/\1/p' | sort -u
}

# Packages and all that they depend on, as far as installed, with their versions.
closure() {
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    --installed "${packages[@]}" 2> /dev/null | grep '^[a-z0-9]' | grep -vxE 'perl-base|debconf|dpkg|apt|adduser' |
    sort -u | xargs dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' 2> /dev/null |
    sed -nE 's/^ii +//p' || true
}

# An ext4 image of the programs, the modules and the first process.
prepare_root() {
  local kernel=$1 image=$2 root=$work/root
  echo "lab: making the root disk" >&2
  mkdir -p "$root"/{dev,proc,sys,run,tmp,lab,out,root,etc,var/lib,var/tmp}
  ln -s usr/bin "$root/bin"
  ln -s usr/sbin "$root/sbin"
  ln -s usr/lib "$root/lib"
  ln -s usr/lib64 "$root/lib64"
  ln -s /run "$root/var/run"
  {
    local package
    for package in $(closure | cut -d' ' -f1); do
      dpkg-query -L "$package" 2> /dev/null | grep -vE '^/usr/share/(doc|man|locale|info|i18n|zoneinfo)/' || true
    done
    # What stands behind names such as awk and ebtables.
    find /etc/alternatives /usr/bin /usr/sbin -lname '/etc/alternatives/*' -o -path '/etc/alternatives/*'
  } | sort -u | while IFS= read -r file; do
    if [[ -L $file || -f $file ]]; then printf '%s\n' "$file"; fi
  done | sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' | tar -c -C / -T - 2> /dev/null | tar -x -C "$root"
  rm -rf "$root/lib/modules"
  cp -a "$cache/$kernel/lib/modules" "$root/usr/lib/"
  printf '%s\n' root:x:0:0:root:/root:/bin/bash nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin \
    dnsmasq:x:100:65534::/var/lib/misc:/usr/sbin/nologin tcpdump:x:101:101::/nonexistent:/usr/sbin/nologin > "$root/etc/passwd"
  printf '%s\n' root:x:0: nogroup:x:65534: tcpdump:x:101: > "$root/etc/group"
  printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' > "$root/etc/nsswitch.conf"
  printf '%s\n' '127.0.0.1 localhost lab' '::1 localhost' > "$root/etc/hosts"
  echo lab > "$root/etc/hostname"
  tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"
  cat > "$root/lab-init" << 'END'
#!/bin/bash
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 WEFT_LAB=1 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts pts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
hostname lab
ip link set lo up
# A new network namespace holds what is put there, no gre0 and the like.
sysctl -qw net.core.fb_tunnels_only_for_init_net=1
# Without KVM the machine stands still for a while now and then; what comes meanwhile is kept.
sysctl -qw net.core.netdev_max_backlog=20000
stty -F /dev/ttyS0 raw -echo
# The kernel's own lines stay out of the program's; those of a panic are shown.
dmesg -n 1
mount -t ext4 -o noatime /dev/vdb /lab
cd /lab
./run < /dev/null > /dev/ttyS0 2>&1
status=$?
dmesg > /out/dmesg
tar -C /out -cf /dev/vdc . 2> /dev/null
echo "exit $status" > /dev/ttyS1
sync
# Nothing of the kernel after the program's last line.
echo 0 > /proc/sys/kernel/printk
exec busybox poweroff -f
END
  chmod 755 "$root/lab-init"
  mke2fs -q -t ext4 -O ^has_journal -m 0 -L root -d "$root" "$work/image" 2048M > /dev/null
  mv "$work/image" "$image"
  rm -rf "$root"
}

# One run at a time prepares; the others wait for it.
exec {lock}> "$cache/lock"
flock "$lock"
kernel=$(real_package)
[[ -n $kernel ]] || { apt-get update -qq > /dev/null 2>&1 || true; kernel=$(real_package); }
[[ -n $kernel ]] || kernel=$(cd "$cache" && ls -d linux-image-*-cloud-amd64 2> /dev/null | sort -V | tail -1)
[[ -n $kernel ]] || give_up "apt knows no linux-image-cloud-amd64: the lab runs on Debian 12 or later."
[[ -f $cache/$kernel/initramfs ]] || prepare_kernel "$kernel"
mapfile -t -O "${#packages[@]}" packages < <(linked_packages)
key=$({ cat "${BASH_SOURCE[0]}"; echo "$kernel"; closure; } | sha256sum | cut -c1-16)
root=$cache/root-$key.ext4
if [[ ! -f $root ]]; then
  find "$cache" -maxdepth 1 -name 'root-*.ext4' -mtime +1 -delete
  prepare_root "$kernel" "$root"
fi
flock -u "$lock"

# ---------------------------------------------------------------------------------------------- the run

size=$(du -sm --apparent-size "$directory" | cut -f1)
mke2fs -q -t ext4 -O ^has_journal -m 0 -L lab -d "$directory" "$work/lab.ext4" "${WEFT_LAB_DISK:-$((size + size / 8 + 1024))}M" > /dev/null
truncate -s 2G "$work/out.tar"
: > "$work/status"
seconds=${WEFT_LAB_SECONDS:-1200}

timeout --kill-after=10 "$seconds" qemu-system-x86_64 \
  -M pc -accel tcg,thread=multi,tb-size=512 -cpu max -smp "$(nproc)" -m "${WEFT_LAB_MEMORY:-2048}" \
  -nodefaults -display none -no-reboot -no-user-config \
  -kernel "$cache/$kernel/vmlinuz" -initrd "$cache/$kernel/initramfs" \
  -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off random.trust_cpu=on" \
  -drive "file=$root,format=raw,if=virtio,snapshot=on,cache=unsafe" \
  -drive "file=$work/lab.ext4,format=raw,if=virtio,cache=unsafe" \
  -drive "file=$work/out.tar,format=raw,if=virtio,cache=unsafe" \
  -device virtio-rng-pci \
  -serial stdio -serial "file:$work/status" < /dev/null &
machine=$!
ended=0
wait "$machine" || ended=$?
machine=
if ((ended == 124 || ended == 137)); then
  echo "lab: the machine ran for more than $seconds s and was ended." >&2
  exit 124
fi
status=$(sed -nE 's/^exit ([0-9]+).*/\1/p' "$work/status")
if [[ -z $status ]]; then
  echo "lab: the machine ended without a result (see its last lines above)." >&2
  exit 125
fi
if [[ -n $output ]]; then
  mkdir -p "$output"
  tar -C "$output" -xf "$work/out.tar"
fi
exit "$status"
