// Measures how long a MAC that moves is unknown at its new place: from the first gratuitous ARP that the guest sends
// there to the kernel's FDB notice on each other host. Driven by rehome.sh, which makes the hosts.
//
//   rehome GUESTS BRIDGE DEVICE MAC MOVES LABEL HOST=VTEP HOST=VTEP ...
//
// GUESTS and HOST are names of network namespaces. The guest moves between the first two hosts. Each move is by a new
// VIF, as on Xen: it is in BRIDGE of the new host first, then it gets its carrier, then the guest announces itself.
// What a kernel thinks is followed by its notices (RTM_NEWNEIGH, RTM_DELNEIGH) from the start. A host knows the new place
// when its bridge has MAC behind DEVICE and DEVICE has it behind the VTEP of the new host; the notice that completed this
// is the sample. One line each goes to stdout: LABEL MOVE HOST MICROSECONDS. The exit code is 1 if a host did not get
// there within five seconds.
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { max_hosts = 256 };

struct host {
  char name[128];
  struct in_addr vtep;
  int notices;            // netlink socket inside the namespace
  int device;             // index of the tunnel device there
  int port;               // the bridge port that has the MAC, or 0
  struct in_addr remote;  // the VTEP that the tunnel device has for the MAC, or 0
  int64_t seen;           // when it knew the new place, or 0
};

static struct host hosts[max_hosts];
static int host_count;

static void pause_ms(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
}

static void run(const char *format, ...) {
  char command[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(command, sizeof command, format, arguments);
  va_end(arguments);
  if (system(command) != 0) die("this failed: %s", command);
}

static int open_notices(void) {
  int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_NEIGH};
  if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
    die("no netlink socket: %s", strerror(errno));
  int size = 4 << 20;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return descriptor;
}

// Follows one message about `mac`: entries of the bridge carry the bridge's index (NDA_MASTER), those of the tunnel
// device carry the other host's address (NDA_DST).
static void follow(const struct nlmsghdr *message, struct host *host, const uint8_t *mac) {
  bool is_new = message->nlmsg_type == RTM_NEWNEIGH;
  if (!is_new && message->nlmsg_type != RTM_DELNEIGH) return;
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ndmsg))) return;
  const struct ndmsg *entry = NLMSG_DATA(message);
  if (entry->ndm_family != AF_BRIDGE) return;
  bool is_mac = false, is_bridge = false, is_tunnel = false;
  struct in_addr remote = {0};
  int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof *entry);
  const struct rtattr *attribute = (const struct rtattr *)((const char *)entry + NLMSG_ALIGN(sizeof *entry));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == NDA_LLADDR && RTA_PAYLOAD(attribute) == ETH_ALEN)
      is_mac = memcmp(RTA_DATA(attribute), mac, ETH_ALEN) == 0;
    if (attribute->rta_type == NDA_MASTER) is_bridge = true;
    if (attribute->rta_type == NDA_DST && RTA_PAYLOAD(attribute) == 4) {
      is_tunnel = entry->ndm_ifindex == host->device;
      memcpy(&remote, RTA_DATA(attribute), 4);
    }
  }
  if (!is_mac) return;
  if (is_bridge && (is_new || host->port == entry->ndm_ifindex)) host->port = is_new ? entry->ndm_ifindex : 0;
  if (is_tunnel && (is_new || host->remote.s_addr == remote.s_addr)) host->remote.s_addr = is_new ? remote.s_addr : 0;
}

// Reads what is there; the message after which the host knows `place` is stamped, once.
static void read_notices(struct host *host, const uint8_t *mac, struct in_addr place) {
  static char buffer[1 << 16] __attribute__((aligned(16)));
  int64_t stamp = now_ns();
  for (;;) {
    ssize_t size = recv(host->notices, buffer, sizeof buffer, 0);
    if (size < 0 && errno == ENOBUFS) die("notices of %s were lost", host->name);
    if (size <= 0) return;
    int left = (int)size;
    for (struct nlmsghdr *message = (struct nlmsghdr *)buffer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      follow(message, host, mac);
      if (host->seen == 0 && host->port == host->device && host->remote.s_addr == place.s_addr) host->seen = stamp;
    }
  }
}

static void set_up(const char *device, bool up) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {0};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
  if (ioctl(descriptor, SIOCGIFFLAGS, &request) != 0) die("%s: %s", device, strerror(errno));
  if (up) request.ifr_flags |= IFF_UP; else request.ifr_flags &= ~IFF_UP;
  if (ioctl(descriptor, SIOCSIFFLAGS, &request) != 0) die("%s: %s", device, strerror(errno));
  close(descriptor);
}

// Sends a gratuitous ARP request (RFC 826) out of `device` and returns the moment before it left. `*open` is the socket,
// to be closed when the move is over: closing waits for the kernel's grace period, while notices come in.
static int64_t announce(const char *device, const uint8_t *mac, int *open) {
  int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = (int)if_nametoindex(device)};
  uint8_t frame[60] = {[12] = 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
  const uint8_t ip[4] = {10, 7, 0, 1};
  memset(frame, 0xff, ETH_ALEN);
  memcpy(frame + 6, mac, ETH_ALEN);
  memcpy(frame + 22, mac, ETH_ALEN);
  memcpy(frame + 28, ip, 4);
  memcpy(frame + 38, ip, 4);
  int64_t stamp = now_ns();
  if (sendto(descriptor, frame, sizeof frame, 0, (struct sockaddr *)&address, sizeof address) != sizeof frame)
    die("cannot send on %s: %s", device, strerror(errno));
  *open = descriptor;
  return stamp;
}

static int missing_notices(const struct host *target) {
  int missing = 0;
  for (int i = 0; i < host_count; i++) missing += &hosts[i] != target && hosts[i].seen == 0;
  return missing;
}

int main(int count, char **words) {
  if (count < 9) die("usage: rehome GUESTS BRIDGE DEVICE MAC MOVES LABEL HOST=VTEP HOST=VTEP ...");
  const char *guests = words[1], *bridge = words[2], *device = words[3], *label = words[6];
  uint8_t mac[ETH_ALEN];
  if (sscanf(words[4], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
    die("%s is not a MAC", words[4]);
  int moves = atoi(words[5]);
  for (int i = 7; i < count && host_count < max_hosts; i++) {
    struct host *host = &hosts[host_count++];
    char *separator = strchr(words[i], '=');
    if (separator == NULL || inet_aton(separator + 1, &host->vtep) == 0) die("%s is not HOST=VTEP", words[i]);
    snprintf(host->name, sizeof host->name, "%.*s", (int)(separator - words[i]), words[i]);
    enter(host->name);
    host->notices = open_notices();
    host->device = (int)if_nametoindex(device);
    if (host->device == 0) die("%s has no %s", host->name, device);
  }
  enter(guests);
  // A notice has to be stamped when it comes, not when the agents leave a core free.
  struct sched_param priority = {.sched_priority = 10};
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) != 0)
    fprintf(stderr, "rehome: no real-time priority: %s\n", strerror(errno));

  int silent = 0;
  for (int move = 0; move <= moves; move++) {  // move 0 only puts the guest on the first host
    struct host *target = &hosts[move % 2];
    // Different indexes: Linux defers news of the carrier of a device whose peer has its own index by up to a second.
    run("ip link add vif%d.9 netns %s index %d address fe:ff:ff:ff:ff:ff type veth peer name m%d netns %s index %d",
        move + 1, target->name, 1000 + 2 * move, move, guests, 1001 + 2 * move);
    run("ip -n %s link set vif%d.9 addrgenmode none master %s", target->name, move + 1, bridge);
    run("ip -n %s link set vif%d.9 up", target->name, move + 1);
    pause_ms(300);
    char from[16], to[16];
    snprintf(from, sizeof from, "m%d", move - 1);
    snprintf(to, sizeof to, "m%d", move);
    if (move > 0) set_up(from, false);
    set_up(to, true);
    pause_ms(200);  // until the port of the new host's bridge forwards
    for (int i = 0; i < host_count; i++) {
      hosts[i].seen = 0;
      read_notices(&hosts[i], mac, (struct in_addr){0});
    }
    int announcer = -1;
    int64_t start = announce(to, mac, &announcer), limit = start + 5 * second;
    struct pollfd polls[max_hosts];
    for (int i = 0; i < host_count; i++) polls[i] = (struct pollfd){.fd = hosts[i].notices, .events = POLLIN};
    while (missing_notices(target) > 0 && now_ns() < limit) {
      if (poll(polls, (nfds_t)host_count, 100) <= 0) continue;
      for (int i = 0; i < host_count; i++)
        if (polls[i].revents != 0) read_notices(&hosts[i], mac, target->vtep);
    }
    close(announcer);
    for (int i = 0; i < host_count && move > 0; i++) {
      if (&hosts[i] == target) continue;
      if (hosts[i].seen == 0) {
        fprintf(stderr, "rehome: move %d: no notice on %s within 5 s\n", move, hosts[i].name);
        silent++;
      } else {
        printf("%s %d %s %.1f\n", label, move, hosts[i].name, (double)(hosts[i].seen - start) / 1000);
      }
    }
    if (move > 0) run("ip -n %s link delete %s", guests, from);
    pause_ms(500);
  }
  run("ip -n %s link delete m%d", guests, moves);
  return silent == 0 ? 0 : 1;
}
