#define _GNU_SOURCE
#include "CLinuxIO.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

int weft_open_esp_in_udp(const uint8_t *address, uint8_t address_length, uint16_t port) {
  int is_v6 = address_length == 16;
  int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  // What waits here is nothing that anybody needs.
  int room = 4096;
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  int on = 1, kind = UDP_ENCAP_ESPINUDP, result = 0;
  if (is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) result = -errno;
  if (result == 0 && setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &kind, sizeof kind) != 0) result = -errno;
  // Bound last: no packet comes in another way.
  if (result == 0) result = weft_bind_inet(fd, address, address_length, port);
  if (result == 0) return fd;
  close(fd);
  return result;
}
