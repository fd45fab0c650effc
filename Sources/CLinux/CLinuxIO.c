#define _GNU_SOURCE
#include "CLinuxIO.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static socklen_t make_address(union address *to, const uint8_t *bytes, uint8_t length, uint16_t port) {
  memset(to, 0, sizeof *to);
  if (length == 4) {
    to->v4.sin_family = AF_INET;
    to->v4.sin_port = htons(port);
    memcpy(&to->v4.sin_addr, bytes, 4);
    return sizeof to->v4;
  }
  to->v6.sin6_family = AF_INET6;
  to->v6.sin6_port = htons(port);
  memcpy(&to->v6.sin6_addr, bytes, 16);
  return sizeof to->v6;
}

int weft_receive_batch(int fd, uint8_t *buffer, uint32_t slot, struct weft_datagram *datagrams, uint32_t count) {
  struct mmsghdr messages[WEFT_BATCH];
  struct iovec parts[WEFT_BATCH];
  union address sources[WEFT_BATCH];
  if (count > WEFT_BATCH) count = WEFT_BATCH;
  for (uint32_t i = 0; i < count; i++) {
    parts[i] = (struct iovec){.iov_base = buffer + (size_t)i * slot, .iov_len = slot};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &sources[i], .msg_namelen = sizeof sources[i], .msg_iov = &parts[i], .msg_iovlen = 1};
    messages[i].msg_len = 0;
  }
  int received = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
  if (received < 0) return -errno;
  for (int i = 0; i < received; i++) {
    struct weft_datagram *datagram = &datagrams[i];
    memset(datagram, 0, sizeof *datagram);
    datagram->offset = (uint32_t)i * slot;
    datagram->length = messages[i].msg_len;
    datagram->truncated = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
    if (sources[i].any.sa_family == AF_INET) {
      datagram->address_length = 4;
      datagram->port = ntohs(sources[i].v4.sin_port);
      memcpy(datagram->address, &sources[i].v4.sin_addr, 4);
    } else if (sources[i].any.sa_family == AF_INET6) {
      datagram->address_length = 16;
      datagram->port = ntohs(sources[i].v6.sin6_port);
      memcpy(datagram->address, &sources[i].v6.sin6_addr, 16);
    }
  }
  return received;
}

int weft_send_batch(int fd, const uint8_t *buffer, const struct weft_datagram *datagrams, uint32_t count) {
  struct mmsghdr messages[WEFT_BATCH];
  struct iovec parts[WEFT_BATCH];
  union address targets[WEFT_BATCH];
  if (count > WEFT_BATCH) count = WEFT_BATCH;
  for (uint32_t i = 0; i < count; i++) {
    const struct weft_datagram *datagram = &datagrams[i];
    socklen_t length = make_address(&targets[i], datagram->address, datagram->address_length, datagram->port);
    parts[i] = (struct iovec){.iov_base = (uint8_t *)buffer + datagram->offset, .iov_len = datagram->length};
    messages[i].msg_hdr =
        (struct msghdr){.msg_name = &targets[i], .msg_namelen = length, .msg_iov = &parts[i], .msg_iovlen = 1};
    messages[i].msg_len = 0;
  }
  int sent = sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

int weft_bind_inet(int fd, const uint8_t *address, uint8_t address_length, uint16_t port) {
  union address local;
  socklen_t length = make_address(&local, address, address_length, port);
  return bind(fd, &local.any, length) == 0 ? 0 : -errno;
}

int weft_local_port(int fd) {
  union address local;
  socklen_t length = sizeof local;
  if (getsockname(fd, &local.any, &length) != 0) return -errno;
  return ntohs(local.any.sa_family == AF_INET6 ? local.v6.sin6_port : local.v4.sin_port);
}

int weft_unix_socket(const uint8_t *address, uint32_t length, int listening) {
  struct sockaddr_un name;
  memset(&name, 0, sizeof name);
  name.sun_family = AF_UNIX;
  if (length == 0 || length >= sizeof name.sun_path) return -ENAMETOOLONG;
  memcpy(name.sun_path, address, length);
  // An abstract name is exactly its bytes; a path ends with the zero that follows it.
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + length + (address[0] == 0 ? 0 : 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int failed = listening ? bind(fd, (struct sockaddr *)&name, size) != 0 || listen(fd, 64) != 0
                         : connect(fd, (struct sockaddr *)&name, size) != 0;
  if (failed) {
    int reason = errno;
    close(fd);
    return -reason;
  }
  return fd;
}

int weft_peer_pid(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
  return peer.pid > 0 ? peer.pid : -ESRCH;
}

void weft_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void weft_block_signals(void) {
  sigset_t signals;
  sigfillset(&signals);
  // Raised by the thread's own instructions: blocking them would only hide the crash report.
  const int own[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&signals, own[i]);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
}
