#define _GNU_SOURCE
#include "CLinuxTUN.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(WEFT_TUN_CHECKSUM == TUN_F_CSUM && WEFT_TUN_TSO4 == TUN_F_TSO4 && WEFT_TUN_TSO6 == TUN_F_TSO6 &&
                   WEFT_TUN_TSO_ECN == TUN_F_TSO_ECN,
               "offloads as the kernel numbers them");

// Opens a queue; `request` gets what the kernel says of the device then.
static int open_queue(const char *name, short flags, struct ifreq *request) {
  memset(request, 0, sizeof *request);
  size_t length = strlen(name);
  // The kernel would take a pattern such as "tap%d" for a wish, and make a device.
  if (length == 0 || length >= sizeof request->ifr_name || strchr(name, '%') != NULL) return -EINVAL;
  int descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return -errno;
  memcpy(request->ifr_name, name, length);
  request->ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | flags);
  int size = WEFT_TUN_HEADER;
  int result = 0;
  if (ioctl(descriptor, TUNSETIFF, request) != 0 || ioctl(descriptor, TUNGETIFF, request) != 0 ||
      ioctl(descriptor, TUNSETVNETHDRSZ, &size) != 0) {
    result = -errno;
  }
  if (result == 0) return descriptor;
  close(descriptor);
  return result;
}

int weft_tun_create(const char *name) {
  struct ifreq request;
  int result = open_queue(name, (short)IFF_TUN_EXCL, &request);
  return result == -EBUSY ? -EEXIST : result;
}

int weft_tun_attach(const char *name) {
  if (if_nametoindex(name) == 0) return -ENODEV;
  struct ifreq request;
  int descriptor = open_queue(name, 0, &request);
  if (descriptor < 0) return descriptor;
  // It went away after that look, and the kernel made another, which goes again with its queue.
  if ((request.ifr_flags & IFF_PERSIST) == 0) {
    close(descriptor);
    return -ENODEV;
  }
  return descriptor;
}

int weft_tun_set_persistent(int descriptor, int is_persistent) {
  return ioctl(descriptor, TUNSETPERSIST, (unsigned long)(is_persistent != 0)) == 0 ? 0 : -errno;
}

int weft_tun_set_offloads(int descriptor, unsigned offloads) {
  return ioctl(descriptor, TUNSETOFFLOAD, (unsigned long)offloads) == 0 ? 0 : -errno;
}
