// Preloaded: to open a file or a folder whose path holds $GENZO_HANGS takes for
// ever, as on a mount whose server does not answer; with $GENZO_HANGS_WITH only
// once a file of that name is there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void MaybeHang(const char* path) {
  const char* const hangs = getenv("GENZO_HANGS");
  if (hangs == NULL || strstr(path, hangs) == NULL) return;
  const char* const with = getenv("GENZO_HANGS_WITH");
  if (with != NULL && access(with, F_OK) != 0) return;
  fprintf(stderr, "hangs: %s\n", path);
  while (1) pause();
}

FILE* fopen64(const char* path, const char* mode) {
  MaybeHang(path);
  FILE* (*real)(const char*, const char*) = dlsym(RTLD_NEXT, "fopen64");
  return real(path, mode);
}

int open64(const char* path, int flags, ...) {
  MaybeHang(path);
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  int (*real)(const char*, int, int) = dlsym(RTLD_NEXT, "open64");
  return real(path, flags, mode);
}

// Folders, by their names alone where they lie in another.
int openat(int folder, const char* path, int flags, ...) {
  MaybeHang(path);
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  int (*real)(int, const char*, int, int) = dlsym(RTLD_NEXT, "openat");
  return real(folder, path, flags, mode);
}

FILE* fopen(const char* path, const char* mode) { return fopen64(path, mode); }

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  return open64(path, flags, mode);
}
