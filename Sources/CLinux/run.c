#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// The program's three streams are one end of a socket pair: no signal on a program that reads nothing, one descriptor
// to wait on.
static int start(const char *const *arguments, int stream, pid_t *process) {
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error != 0) return -error;
  posix_spawnattr_t attributes;
  error = posix_spawnattr_init(&attributes);
  if (error == 0) {
    sigset_t none;
    sigemptyset(&none);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    for (int target = 0; target <= 2 && error == 0; target++) {
      error = posix_spawn_file_actions_adddup2(&actions, stream, target);
    }
    if (error == 0) {
      error = posix_spawnp(process, arguments[0], &actions, &attributes, (char *const *)arguments, environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&actions);
  return -error;
}

// Until the program closes its end. Returns 0 if it was silent for 10 seconds, and so is stuck.
static int converse(int stream, const char *input, size_t left, char *said, size_t room) {
  size_t stored = 0;
  int alive = 1;
  int open_for_writing = 1;
  for (;;) {
    if (left == 0 && open_for_writing) {
      (void)shutdown(stream, SHUT_WR);
      open_for_writing = 0;
    }
    struct pollfd item = {.fd = stream, .events = (short)(POLLIN | (left > 0 ? POLLOUT : 0))};
    int ready = poll(&item, 1, 10000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      alive = 0;
      break;
    }
    if (left > 0 && (item.revents & POLLOUT)) {
      ssize_t sent = send(stream, input, left, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        input += sent;
        left -= (size_t)sent;
      } else if (errno != EAGAIN && errno != EINTR) {
        left = 0;
      }
    }
    if (item.revents & (POLLIN | POLLHUP | POLLERR)) {
      char block[512];
      ssize_t got = recv(stream, block, sizeof(block), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
      for (ssize_t index = 0; index < got && stored + 1 < room; index++) said[stored++] = block[index];
    }
  }
  if (room > 0) said[stored] = 0;
  return alive;
}

int weft_run(const char *const *arguments, const void *input, size_t input_size, char *said, size_t said_size) {
  int streams[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams) != 0) return -errno;
  pid_t process = 0;
  int error = start(arguments, streams[1], &process);
  close(streams[1]);
  if (error != 0) {
    close(streams[0]);
    return error;
  }
  int alive = converse(streams[0], input, input_size, said, said_size);
  if (!alive) (void)kill(process, SIGKILL);
  close(streams[0]);
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return -errno;
  }
  if (!alive) return -ETIMEDOUT;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -ECANCELED;
}
