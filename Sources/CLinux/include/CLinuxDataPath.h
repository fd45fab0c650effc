#pragma once

// The packet path: UDP sockets that move many packets a call. Every function returns a descriptor, a count or 0, or the
// negated errno.

// No header of sockets: their unnamed constants (SOCK_RAW, IPPROTO_UDP) would count as this module's, and a file that
// imports Glibc alone would miss them.
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// Where datagrams go, ready for the kernel: a struct sockaddr_in or sockaddr_in6, and its length.
struct weft_target {
  uint64_t address[4];
  uint32_t length;
};

// `bytes` of 4 or 16 bytes in the order of the wire, `port` in the order of the host.
void weft_make_target(struct weft_target *target, const uint8_t *bytes, uint8_t length, uint16_t port);

// A datagram, or several of `segment` bytes each (the last may be shorter) that the kernel is to take apart
// (UDP_SEGMENT, Linux 4.18) if `segment` is not 0.
struct weft_message {
  const void *bytes;
  const struct weft_target *target;
  uint32_t length;
  uint32_t segment;
};

// The most messages that one call sends.
#define WEFT_SEND_MESSAGES 64
// The most datagrams of a message, as old kernels have it (UDP_MAX_SEGMENTS).
#define WEFT_SEGMENTS 64

// sendmmsg without waiting. Returns how many left; an error is that of the first.
int weft_send_messages(int fd, const struct weft_message *messages, uint32_t count);

// A datagram, or several that the kernel had joined (UDP_GRO, Linux 5.0), of `segment` bytes each, the last may be
// shorter; `segment` is `length` for one alone.
struct weft_received {
  uint32_t length;
  uint32_t segment;
  // The sender's address, IPv4 in the form of RFC 4291 section 2.5.5.2, as numbers.
  uint64_t source_high;
  uint64_t source_low;
  // Not 0: it was longer than its slot, or had no address.
  uint32_t unusable;
};

// The most messages that one call receives.
#define WEFT_RECEIVE_MESSAGES 16

// recvmmsg without waiting: message i goes to `buffer + i * slot`. Returns their number.
int weft_receive_messages(int fd, uint8_t *buffer, uint32_t slot, struct weft_received *messages, uint32_t count);

// A non-blocking UDP socket at an address (4 or 16 bytes) and port, which joins what it receives where the kernel can,
// and sends with DF set and never in fragments, whatever ICMP tells of the path. It is number `number` of `sockets` at the
// same address, opened one after the other from 0 on; once all are open, the kernel gives a datagram to the one that
// `weft_path_queue` has for its source.
int weft_open_path_socket(const uint8_t *address, uint8_t length, uint16_t port, uint32_t number, uint32_t sockets);

// Which of `sockets` gets what comes from an address (4 or 16 bytes). By address, as the kernel joins packets of one
// sender whatever SA they are of.
uint32_t weft_path_queue(const uint8_t *address, uint8_t length, uint32_t sockets);

// Datagrams that the kernel dropped for want of room in the receive buffer.
int64_t weft_socket_overflows(int fd);

// A word that one thread changes and others read.
static inline void weft_add(uint64_t *word, uint64_t number) {
  __atomic_store_n(word, *word + number, __ATOMIC_RELAXED);
}
static inline uint64_t weft_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline void weft_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
