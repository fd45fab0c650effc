#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// Enough of a frame for an Ethernet header with two tags, an IPv6 header and a neighbour message with its options.
#define WHOLE 256
#define HEADER 14

#define LOAD_PACKET_TYPE BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE))
#define LOAD_HALF(offset) BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (offset))
#define LOAD_BYTE(offset) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (offset))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))
#define IF_AT_LEAST(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (value), (then), (otherwise))
#define RETURN(bytes) BPF_STMT(BPF_RET | BPF_K, (bytes))

// The kernel takes the first tag off before packet sockets see a frame, save on paths of some drivers; so the filter
// looks behind one tag that is still in the frame. ICMPv6 type: Ethernet 14 + IPv6 40 bytes, 4 more behind a tag.
// A load past the end of the frame ends the program with 0, which drops it: that is why `discover` loads only what a
// frame of 14 bytes has before it knows the type, and short IPv6 frames of strange makers are not reported whole.
#define PROGRAM(otherwise)                                                                                             \
  {                                                                                                                    \
      /*  0 */ LOAD_PACKET_TYPE,                                                                                       \
      /*  1 */ IF_EQUAL(PACKET_OUTGOING, 22, 0),                                                                       \
      /*  2 */ LOAD_HALF(12),                                                                                          \
      /*  3 */ IF_EQUAL(ETH_P_ARP, 19, 0),                                                                             \
      /*  4 */ IF_EQUAL(ETH_P_RARP, 18, 0),                                                                            \
      /*  5 */ IF_EQUAL(ETH_P_IPV6, 11, 0),                                                                            \
      /*  6 */ IF_EQUAL(ETH_P_8021Q, 1, 0),                                                                            \
      /*  7 */ IF_EQUAL(ETH_P_8021AD, 0, 14),                                                                          \
      /*  8 */ LOAD_HALF(16),                                                                                          \
      /*  9 */ IF_EQUAL(ETH_P_ARP, 13, 0),                                                                             \
      /* 10 */ IF_EQUAL(ETH_P_RARP, 12, 0),                                                                            \
      /* 11 */ IF_EQUAL(ETH_P_IPV6, 0, 10),                                                                            \
      /* 12 */ LOAD_BYTE(24),                                                                                          \
      /* 13 */ IF_EQUAL(58, 0, 8),                                                                                     \
      /* 14 */ LOAD_BYTE(58),                                                                                          \
      /* 15 */ IF_AT_LEAST(133, 0, 6),                                                                                 \
      /* 16 */ IF_AT_LEAST(138, 5, 6),                                                                                 \
      /* 17 */ LOAD_BYTE(20),                                                                                          \
      /* 18 */ IF_EQUAL(58, 0, 3),                                                                                     \
      /* 19 */ LOAD_BYTE(54),                                                                                          \
      /* 20 */ IF_AT_LEAST(133, 0, 1),                                                                                 \
      /* 21 */ IF_AT_LEAST(138, 0, 1),                                                                                 \
      /* 22 */ RETURN(otherwise),                                                                                      \
      /* 23 */ RETURN(WHOLE),                                                                                          \
      /* 24 */ RETURN(0),                                                                                              \
  }

static const struct sock_filter discover[] = PROGRAM(HEADER);
static const struct sock_filter announcements[] = PROGRAM(0);

int weft_tap_filter(int descriptor, int filter) {
  const struct sock_filter *code = filter == WEFT_TAP_ANNOUNCEMENTS ? announcements : discover;
  struct sock_fprog program = {
      .len = sizeof(discover) / sizeof(discover[0]),
      .filter = (struct sock_filter *)code,
  };
  return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 ? 0 : -errno;
}

int weft_tap_open(int interface_index, int filter, int receive_buffer) {
  // Protocol 0: nothing is received before the socket is bound, so no frame slips past the filter.
  int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int result = weft_tap_filter(descriptor, filter);
#ifdef PACKET_IGNORE_OUTGOING
  // Linux 4.20 and later: spares the copy of outgoing frames that the filter would drop.
  int on = 1;
  (void)setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
#endif
  if (result == 0 &&
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer)) != 0) {
    result = -errno;
  }
  if (result == 0) {
    struct sockaddr_ll address;
    memset(&address, 0, sizeof(address));
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = interface_index;
    if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) result = -errno;
  }
  if (result == 0) return descriptor;
  close(descriptor);
  return result;
}

int weft_tap_receive(int descriptor, void *buffer, size_t slot, unsigned count, uint32_t *lengths) {
  enum { limit = 64 };
  struct mmsghdr headers[limit];
  struct iovec vectors[limit];
  if (count > limit) count = limit;
  memset(headers, 0, sizeof(headers[0]) * count);
  for (unsigned index = 0; index < count; index++) {
    vectors[index].iov_base = (char *)buffer + slot * index;
    vectors[index].iov_len = slot;
    headers[index].msg_hdr.msg_iov = &vectors[index];
    headers[index].msg_hdr.msg_iovlen = 1;
  }
  int received = recvmmsg(descriptor, headers, count, MSG_DONTWAIT, NULL);
  if (received < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  for (int index = 0; index < received; index++) lengths[index] = headers[index].msg_len;
  return received;
}
