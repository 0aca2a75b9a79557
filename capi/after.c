//go:build linux

// The other end of signals.c: gives the loading thread its signals back. It is a
// file of its own because constructors without a priority run in the order in
// which the linker met their files. The Go runtime's is in the first file of the
// library or archive. From an archive the linker takes shim.c and signals.c, which
// the program wants, then starts over with what those want: the runtime, and this
// file, if its name comes before theirs.

#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>

#include "signals.h"

const char uringgo_unblock = 1;

__attribute__((constructor)) static void unblock(void) { pthread_sigmask(SIG_SETMASK, &uringgo_mask, NULL); }
