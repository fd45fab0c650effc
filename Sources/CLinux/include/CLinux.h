// What Swift cannot import from the C library or the kernel: GNU extensions, socket filters.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "CLinuxDataPath.h"
#include "CLinuxIO.h"
#include "CLinuxTUN.h"

#ifdef __cplusplus
extern "C" {
#endif

// Every function returns a descriptor or a count, or the negated errno.

// Puts the calling thread into a new, empty network namespace.
int weft_unshare_network(void);
// Puts the calling thread into the network namespace of the descriptor.
int weft_enter_network(int descriptor);
// A descriptor of the calling thread's network namespace.
int weft_open_network(void);
// Runs `body(context)` to its end on a thread of its own in a new network namespace, which goes with it. The caller
// waits. Returns 0, or why the thread or the namespace could not be made (then `body` did not run).
int weft_in_new_network(void (*body)(void *), void *context);

// Which inbound frames a packet socket on a VIF passes on.
enum weft_tap_filter {
  // All: 14 bytes of each, and the whole of those that `announcements` takes.
  WEFT_TAP_DISCOVER = 0,
  // ARP, RARP and IPv6 neighbour discovery only, untagged or behind one VLAN tag.
  WEFT_TAP_ANNOUNCEMENTS = 1,
};
// A non-blocking packet socket on one interface, with its filter in place before the first frame can come in.
int weft_tap_open(int interface_index, int filter, int receive_buffer);
// Swaps the filter without a gap.
int weft_tap_filter(int descriptor, int filter);
// Receives up to `count` frames, each into `slot` bytes of `buffer`; `lengths` gets the bytes stored of each.
int weft_tap_receive(int descriptor, void *buffer, size_t slot, unsigned count, uint32_t *lengths);

// Runs a program found on PATH with the bytes as its standard input; what it says on standard error and output goes to
// `said`, cut to its size and closed by a zero. Returns its exit code, or the negated errno if it could not be run;
// one that says nothing for 10 seconds is killed (ETIMEDOUT).
int weft_run(const char *const *arguments, const void *input, size_t input_size, char *said, size_t said_size);

#ifdef __cplusplus
}
#endif
