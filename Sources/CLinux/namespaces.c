#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

int weft_unshare_network(void) { return unshare(CLONE_NEWNET) == 0 ? 0 : -errno; }

int weft_enter_network(int descriptor) { return setns(descriptor, CLONE_NEWNET) == 0 ? 0 : -errno; }

int weft_open_network(void) {
  int descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  return descriptor >= 0 ? descriptor : -errno;
}

struct visit {
  void (*body)(void *);
  void *context;
  int result;
};

static void *run_visit(void *pointer) {
  struct visit *visit = pointer;
  visit->result = weft_unshare_network();
  if (visit->result == 0) visit->body(visit->context);
  return NULL;
}

int weft_in_new_network(void (*body)(void *), void *context) {
  struct visit visit = {body, context, 0};
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run_visit, &visit);
  if (error != 0) return -error;
  error = pthread_join(thread, NULL);
  return error != 0 ? -error : visit.result;
}
