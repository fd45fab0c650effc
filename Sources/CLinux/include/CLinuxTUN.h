#pragma once

// TAP devices by /dev/net/tun (Documentation/networking/tuntap.rst of the kernel), for whoever makes them and whoever
// moves packets through them. Every function returns a descriptor or 0, or the negated errno.
//
// All of Weft's are made alike: Ethernet frames without packet information, a struct virtio_net_hdr of
// WEFT_TUN_HEADER bytes before each, several queues. A descriptor is one queue; it belongs to the namespace that the
// calling thread was in, and is non-blocking.

#include <stdint.h>

// Bytes of struct virtio_net_hdr (linux/virtio_net.h) before each frame, little endian.
#define WEFT_TUN_HEADER 10

// Segments and checksums that the reader of a TAP device takes upon itself: TUN_F_… of linux/if_tun.h. The others need
// the first.
enum weft_tun_offload {
  WEFT_TUN_CHECKSUM = 0x01,
  WEFT_TUN_TSO4 = 0x02,
  WEFT_TUN_TSO6 = 0x04,
  WEFT_TUN_TSO_ECN = 0x08,
};

// Makes a device; the descriptor is its first queue. It goes with its last queue until it is made persistent. EEXIST if
// there is one of that name, whatever it is.
int weft_tun_create(const char *name);

// One more queue of a persistent device that stands, with the header size set. Never makes one: ENODEV if there is none,
// or if it is not persistent; EINVAL if it is of another kind or has one queue only; E2BIG if it has no queue left.
int weft_tun_attach(const char *name);

// Whether the device stays when its last queue is closed.
int weft_tun_set_persistent(int descriptor, int is_persistent);

// Which offloads (`weft_tun_offload`) the device may leave to the reader of its queues. They hold for all of its queues
// and until they are changed, longer than the descriptor.
int weft_tun_set_offloads(int descriptor, unsigned offloads);
