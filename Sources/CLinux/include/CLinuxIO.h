#pragma once

// Sockets and threads: what glibc shows only under _GNU_SOURCE. Every function returns a descriptor, a count or 0, or the
// negated errno.

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

// One datagram of a batch. `offset` and `length` lie in the batch's buffer.
struct weft_datagram {
  uint32_t offset;
  uint32_t length;
  // 4 or 16: the bytes of `address` that count, in the order of the wire.
  uint8_t address_length;
  // Not 0: the datagram was longer than its slot.
  uint8_t truncated;
  // In the order of the host.
  uint16_t port;
  uint8_t address[16];
};

// The most datagrams that one call moves.
#define WEFT_BATCH 64

// recvmmsg without waiting: datagram i goes to `buffer + i * slot`. Returns their number.
int weft_receive_batch(int fd, uint8_t *buffer, uint32_t slot, struct weft_datagram *datagrams, uint32_t count);

// sendmmsg without waiting. Returns how many left; an error is that of the first.
int weft_send_batch(int fd, const uint8_t *buffer, const struct weft_datagram *datagrams, uint32_t count);

// bind to an IPv4 (4 bytes) or IPv6 (16 bytes) address and a port in the order of the host.
int weft_bind_inet(int fd, const uint8_t *address, uint8_t address_length, uint16_t port);

// A non-blocking UDP socket at an IPv4 or IPv6 address, by which the kernel takes ESP in UDP (RFC 3948).
int weft_open_esp_in_udp(const uint8_t *address, uint8_t address_length, uint16_t port);

// The port that the socket is bound to, in the order of the host.
int weft_local_port(int fd);

// A non-blocking stream socket listening on (`listening` not 0) or connected to the AF_UNIX address of `length` bytes;
// a first byte of 0 means the abstract namespace.
int weft_unix_socket(const uint8_t *address, uint32_t length, int listening);

// The process at the other end of a connected AF_UNIX socket (for a listener: the one that listens).
int weft_peer_pid(int fd);

// Names the calling thread, in 15 characters at most.
void weft_name_thread(const char *name);

// Leaves every signal that can be directed elsewhere to other threads of the process.
void weft_block_signals(void);
