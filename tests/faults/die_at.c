/* A library to be preloaded (LD_PRELOAD) that kills its process at a chosen call to the file system, as a power cut would.
 *
 * ACTSEARCH_DIE_AT=CALL:N:WHEN
 *   CALL  write, fsync, rename or unlink; their variants count too (pwrite, writev, fdatasync, remove)
 *   N     the how-many-th such call of the process, from 1; writes count where they go to a regular file
 *   WHEN  before, after, or (of a write) half: when half of its bytes are written
 *
 * scripts/kill_soak.sh builds and uses it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Whether this is the call to die at; "when" is then where. */
static int is_the_call(const char* call, char when[8]) {
  const char* wish = getenv("ACTSEARCH_DIE_AT");
  char wanted[8];
  long n;
  if (!wish || sscanf(wish, "%7[a-z]:%ld:%7[a-z]", wanted, &n, when) != 3 || strcmp(wanted, call) != 0) return 0;
  return atomic_fetch_add(&calls, 1) + 1 == n;
}

static int is_file(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

#define REAL(type, name, ...)                                         \
  static type (*real)(__VA_ARGS__);                                   \
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, name)
#define AROUND(call, result, expression)                              \
  do {                                                                \
    char when[8] = "";                                                \
    const int now = is_the_call(call, when);                          \
    if (now && strcmp(when, "after") != 0) die();                     \
    result = (expression);                                            \
    if (now) die();                                                   \
  } while (0)

ssize_t write(int descriptor, const void* bytes, size_t size) {
  REAL(ssize_t, "write", int, const void*, size_t);
  char when[8] = "";
  if (!is_file(descriptor) || !is_the_call("write", when)) return real(descriptor, bytes, size);
  if (strcmp(when, "half") == 0) real(descriptor, bytes, size / 2);
  if (strcmp(when, "after") == 0) real(descriptor, bytes, size);
  die();
  return -1;
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  REAL(ssize_t, "pwrite", int, const void*, size_t, off_t);
  char when[8] = "";
  if (!is_file(descriptor) || !is_the_call("write", when)) return real(descriptor, bytes, size, offset);
  if (strcmp(when, "half") == 0) real(descriptor, bytes, size / 2, offset);
  if (strcmp(when, "after") == 0) real(descriptor, bytes, size, offset);
  die();
  return -1;
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) { return pwrite(descriptor, bytes, size, offset); }

ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec*, int);
  char when[8] = "";
  if (!is_file(descriptor) || !is_the_call("write", when)) return real(descriptor, parts, count);
  if (strcmp(when, "before") != 0) real(descriptor, parts, strcmp(when, "half") == 0 && count > 1 ? count / 2 : count);
  die();
  return -1;
}

int fsync(int descriptor) {
  REAL(int, "fsync", int);
  int result;
  AROUND("fsync", result, real(descriptor));
  return result;
}
int fdatasync(int descriptor) {
  REAL(int, "fdatasync", int);
  int result;
  AROUND("fsync", result, real(descriptor));
  return result;
}
int rename(const char* from, const char* to) {
  REAL(int, "rename", const char*, const char*);
  int result;
  AROUND("rename", result, real(from, to));
  return result;
}
int unlink(const char* path) {
  REAL(int, "unlink", const char*);
  int result;
  AROUND("unlink", result, real(path));
  return result;
}
int remove(const char* path) {
  REAL(int, "remove", const char*);
  int result;
  AROUND("unlink", result, real(path));
  return result;
}
