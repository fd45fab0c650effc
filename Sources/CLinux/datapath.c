#define _GNU_SOURCE
#include "CLinuxDataPath.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// Numbers of linux/udp.h; the C library's header has them only where it is new enough.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

// Room for the bursts of several streams; what is granted without CAP_NET_ADMIN may be less.
static const int receive_room = 32 << 20;
static const int receive_room_unprivileged = 4 << 20;
static const int send_room = 4 << 20;

_Static_assert(sizeof(struct sockaddr_in6) <= sizeof((struct weft_target *)0)->address, "room for both families");

void weft_make_target(struct weft_target *target, const uint8_t *bytes, uint8_t length, uint16_t port) {
  memset(target, 0, sizeof *target);
  if (length == 4) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&v4.sin_addr, bytes, 4);
    memcpy(target->address, &v4, sizeof v4);
    target->length = sizeof v4;
  } else {
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&v6.sin6_addr, bytes, 16);
    memcpy(target->address, &v6, sizeof v6);
    target->length = sizeof v6;
  }
}

int weft_send_messages(int fd, const struct weft_message *messages, uint32_t count) {
  struct mmsghdr headers[WEFT_SEND_MESSAGES];
  struct iovec parts[WEFT_SEND_MESSAGES];
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } controls[WEFT_SEND_MESSAGES];
  if (count > WEFT_SEND_MESSAGES) count = WEFT_SEND_MESSAGES;
  for (uint32_t i = 0; i < count; i++) {
    const struct weft_message *message = &messages[i];
    parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)message->bytes, .iov_len = message->length};
    headers[i].msg_hdr = (struct msghdr){
        .msg_name = (void *)(uintptr_t)&message->target->address,
        .msg_namelen = message->target->length,
        .msg_iov = &parts[i],
        .msg_iovlen = 1,
    };
    headers[i].msg_len = 0;
    if (message->segment == 0) continue;
    headers[i].msg_hdr.msg_control = controls[i].bytes;
    headers[i].msg_hdr.msg_controllen = sizeof controls[i].bytes;
    struct cmsghdr *control = CMSG_FIRSTHDR(&headers[i].msg_hdr);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    uint16_t segment = (uint16_t)message->segment;
    memcpy(CMSG_DATA(control), &segment, sizeof segment);
  }
  int sent = sendmmsg(fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

static void read_source(const struct sockaddr_in6 *source, struct weft_received *message) {
  if (source->sin6_family == AF_INET) {
    struct sockaddr_in v4;
    memcpy(&v4, source, sizeof v4);
    message->source_high = 0;
    message->source_low = 0xffff00000000ULL | ntohl(v4.sin_addr.s_addr);
  } else if (source->sin6_family == AF_INET6) {
    uint64_t halves[2];
    memcpy(halves, &source->sin6_addr, sizeof halves);
    message->source_high = __builtin_bswap64(halves[0]);
    message->source_low = __builtin_bswap64(halves[1]);
  } else {
    message->unusable = 1;
  }
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "addresses are read on little-endian machines only"
#endif
}

int weft_receive_messages(int fd, uint8_t *buffer, uint32_t slot, struct weft_received *messages, uint32_t count) {
  struct mmsghdr headers[WEFT_RECEIVE_MESSAGES];
  struct iovec parts[WEFT_RECEIVE_MESSAGES];
  struct sockaddr_in6 sources[WEFT_RECEIVE_MESSAGES];
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } controls[WEFT_RECEIVE_MESSAGES];
  if (count > WEFT_RECEIVE_MESSAGES) count = WEFT_RECEIVE_MESSAGES;
  for (uint32_t i = 0; i < count; i++) {
    parts[i] = (struct iovec){.iov_base = buffer + (size_t)i * slot, .iov_len = slot};
    sources[i].sin6_family = AF_UNSPEC;
    headers[i].msg_hdr = (struct msghdr){
        .msg_name = &sources[i],
        .msg_namelen = sizeof sources[i],
        .msg_iov = &parts[i],
        .msg_iovlen = 1,
        .msg_control = controls[i].bytes,
        .msg_controllen = sizeof controls[i].bytes,
    };
    headers[i].msg_len = 0;
  }
  int received = recvmmsg(fd, headers, count, MSG_DONTWAIT, NULL);
  if (received < 0) return -errno;
  for (int i = 0; i < received; i++) {
    struct weft_received *message = &messages[i];
    message->length = headers[i].msg_len;
    message->segment = headers[i].msg_len;
    message->unusable = (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    read_source(&sources[i], message);
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&headers[i].msg_hdr); control != NULL;
         control = CMSG_NXTHDR(&headers[i].msg_hdr, control)) {
      if (control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO) continue;
      int segment = 0;
      memcpy(&segment, CMSG_DATA(control), sizeof segment);
      if (segment > 0 && (uint32_t)segment < message->length) message->segment = (uint32_t)segment;
    }
  }
  return received;
}

static int set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

// The source address in the header of IPv4, and the four words of that in the header of IPv6.
#define SOURCE_V4 ((uint32_t)SKF_NET_OFF + 12)
#define SOURCE_V6(word) ((uint32_t)SKF_NET_OFF + 8 + 4 * (word))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define TO_X BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define XOR_X BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0)

static int attach(int fd, struct sock_filter *code, size_t count) {
  struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) != 0) return -errno;
  return 0;
}

// The same as weft_path_queue, as a program of the kernel.
static int choose_by_source(int fd, int family, uint32_t sockets) {
  struct sock_filter v4[] = {
      LOAD(SOURCE_V4),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, sockets),
      BPF_STMT(BPF_RET | BPF_A, 0),
  };
  struct sock_filter v6[] = {
      LOAD(SOURCE_V6(0)), TO_X, LOAD(SOURCE_V6(1)), XOR_X, TO_X, LOAD(SOURCE_V6(2)),
      XOR_X, TO_X, LOAD(SOURCE_V6(3)), XOR_X,
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, sockets),
      BPF_STMT(BPF_RET | BPF_A, 0),
  };
  return family == AF_INET ? attach(fd, v4, sizeof v4 / sizeof *v4) : attach(fd, v6, sizeof v6 / sizeof *v6);
}

uint32_t weft_path_queue(const uint8_t *address, uint8_t length, uint32_t sockets) {
  uint32_t value = 0;
  for (uint8_t place = 0; place + 4 <= length; place += 4) {
    uint32_t word;
    memcpy(&word, address + place, sizeof word);
    value ^= ntohl(word);
  }
  return value % sockets;
}

static int prepare(int fd, int family, uint32_t number, uint32_t sockets) {
  // Anybody can forge an ICMP message of a smaller path: only the MTU of the interface counts.
  int result = family == AF_INET ? set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
                                 : set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  if (result == 0 && family == AF_INET6) result = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (result == 0 && sockets > 1) result = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  // The first one founds the group with its program; a second program would found another group.
  if (result == 0 && sockets > 1 && number == 0) result = choose_by_source(fd, family, sockets);
  // Faster with, right without.
  (void)set(fd, IPPROTO_UDP, UDP_GRO, 1);
  if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive_room) != 0) {
    (void)set(fd, SOL_SOCKET, SO_RCVBUF, receive_room_unprivileged);
  }
  if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, send_room) != 0) (void)set(fd, SOL_SOCKET, SO_SNDBUF, send_room);
  return result;
}

int weft_open_path_socket(const uint8_t *address, uint8_t length, uint16_t port, uint32_t number,
                          uint32_t sockets) {
  struct weft_target local;
  weft_make_target(&local, address, length, port);
  int family = length == 4 ? AF_INET : AF_INET6;
  int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) return -errno;
  int result = prepare(fd, family, number, sockets);
  if (result == 0 && bind(fd, (const struct sockaddr *)local.address, local.length) != 0) result = -errno;
  if (result == 0) return fd;
  close(fd);
  return result;
}

int64_t weft_socket_overflows(int fd) {
  uint32_t values[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof values;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &length) != 0) return -errno;
  return values[SK_MEMINFO_DROPS];
}
