// Small UDP packets from one network namespace to another: how many a second are sent, and how many arrive. Driven by
// throughput.sh, which makes the namespaces and what is between them.
//
//   throughput-udp FROM TO ADDRESS BYTES SECONDS
//
// FROM and TO are names of network namespaces, ADDRESS is IPv4, inside TO; BYTES is the size of the payload. First the
// sender sends as fast as it can. Then the highest rate is searched at which at most 1 % is lost: a sender that nothing
// slows down takes processor time from the path under test, so what arrives of a flood is less than what the path can
// carry. The search halves the interval between nothing and what the flood sent, eight times, each a tenth of SECONDS.
//
// stdout: SENT RECEIVED SUSTAINED OVERFLOWN, packets a second; OVERFLOWN is what of the flood reached the receiver's
// socket and found it full.
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>

enum { batch = 64, max_bytes = 1400, port = 7690, halvings = 8 };

struct result {
  double sent, received, overflown;  // packets a second
};

static void sleep_until(int64_t moment) {
  struct timespec time = {moment / second, moment % second};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {}
}

// A datagram socket inside the namespace; it stays there when the process enters another one.
static int open_inside(const char *namespace) {
  enter(namespace);
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) die("no socket in %s: %s", namespace, strerror(errno));
  return descriptor;
}

static void fill(struct mmsghdr *messages, struct iovec *parts, char *memory, size_t bytes) {
  for (int i = 0; i < batch; i++) {
    parts[i] = (struct iovec){.iov_base = memory + (size_t)i * max_bytes, .iov_len = bytes};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
  }
}

// Sends until `end`, at `rate` packets a second or, if that is 0, as fast as it can; returns how many were sent.
static int64_t send_until(int descriptor, size_t bytes, double rate, int64_t end) {
  static char memory[batch * max_bytes];
  struct mmsghdr messages[batch];
  struct iovec parts[batch];
  fill(messages, parts, memory, bytes);
  int64_t start = now_ns(), sent = 0;
  // A paced sender sends what is due four thousand times a second: less often, and its bursts overflow short queues.
  for (int64_t now = start, tick = start; now < end; now = now_ns()) {
    int64_t due = batch;
    if (rate > 0) {
      due = (int64_t)((double)(now - start) * rate / (double)second) - sent;
      if (due <= 0) {
        tick = (tick > now ? tick : now) + second / 4000;
        sleep_until(tick < end ? tick : end);
        continue;
      }
      if (due > batch) due = batch;
    }
    int count = sendmmsg(descriptor, messages, (unsigned)due, 0);
    if (count > 0) sent += count;
    // A full queue on the way and the answer of a receiver that is not there yet are losses like others.
    else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) die("cannot send: %s", strerror(errno));
  }
  return sent;
}

// Receives until `end`, and after it for as long as packets still come.
static int64_t receive_until(int descriptor, int64_t end, uint32_t *overflown) {
  static char memory[batch * max_bytes];
  static char control[batch][CMSG_SPACE(sizeof(uint32_t))];
  struct mmsghdr messages[batch];
  struct iovec parts[batch];
  int64_t received = 0;
  for (;;) {
    fill(messages, parts, memory, max_bytes);
    for (int i = 0; i < batch; i++) {
      messages[i].msg_hdr.msg_control = control[i];
      messages[i].msg_hdr.msg_controllen = sizeof control[i];
    }
    int count = recvmmsg(descriptor, messages, batch, MSG_WAITFORONE, NULL);
    if (count <= 0) {
      if (count < 0 && errno != EAGAIN && errno != EINTR) die("cannot receive: %s", strerror(errno));
      if (now_ns() >= end) return received;
      continue;
    }
    received += count;
    struct msghdr *last = &messages[count - 1].msg_hdr;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(last); item != NULL; item = CMSG_NXTHDR(last, item))
      if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SO_RXQ_OVFL)
        memcpy(overflown, CMSG_DATA(item), sizeof *overflown);
  }
}

static struct result measure(int from, int to, size_t bytes, double rate, double seconds) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) die("no pipe: %s", strerror(errno));
  int64_t end = now_ns() + (int64_t)(seconds * (double)second);
  pid_t sender = fork();
  if (sender < 0) die("cannot fork: %s", strerror(errno));
  if (sender == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int64_t sent = send_until(from, bytes, rate, end);
    _exit(write(report[1], &sent, sizeof sent) == sizeof sent ? 0 : 1);
  }
  static uint32_t overflown_before;
  uint32_t overflown = overflown_before;
  int64_t sent = 0, received = receive_until(to, end, &overflown);
  int status = 0;
  if (waitpid(sender, &status, 0) != sender || status != 0 || read(report[0], &sent, sizeof sent) != sizeof sent)
    die("the sender ended without telling how much it sent");
  close(report[0]);
  close(report[1]);
  struct result result = {(double)sent / seconds, (double)received / seconds, (overflown - overflown_before) / seconds};
  overflown_before = overflown;
  return result;
}

int main(int count, char **words) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (count != 6 || inet_aton(words[3], &address.sin_addr) == 0)
    die("usage: throughput-udp FROM TO ADDRESS BYTES SECONDS");
  long bytes = atol(words[4]);
  double seconds = atof(words[5]);
  if (bytes < 1 || bytes > max_bytes || seconds < 1) die("BYTES is from 1 to %d, SECONDS from 1", max_bytes);
  int to = open_inside(words[2]);
  int size = 4 << 20, on = 1;
  struct timeval patience = {.tv_usec = 200000};
  if (setsockopt(to, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0 ||
      setsockopt(to, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) != 0 ||
      setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      bind(to, (struct sockaddr *)&address, sizeof address) != 0)
    die("no receiver at %s: %s", words[3], strerror(errno));
  int from = open_inside(words[1]);
  if (connect(from, (struct sockaddr *)&address, sizeof address) != 0)
    die("no way to %s: %s", words[3], strerror(errno));

  struct result flood = measure(from, to, (size_t)bytes, 0, seconds);
  double low = 0, high = flood.sent;
  for (int i = 0; i < halvings; i++) {
    double rate = (low + high) / 2;
    struct result result = measure(from, to, (size_t)bytes, rate, seconds / 10);
    // A sender that falls behind its rate has not tried it.
    if (result.received >= 0.99 * result.sent && result.sent >= 0.95 * rate) low = rate; else high = rate;
  }
  printf("%.0f %.0f %.0f %.0f\n", flood.sent, flood.received, low, flood.overflown);
  return 0;
}
