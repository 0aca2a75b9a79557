//go:build linux

// The other end of signals.c: gives the loading thread its signals back. It must
// run after the Go runtime's constructor, and constructors without a priority run
// in the order in which the linker met their files. The runtime is in the first
// file of a shared library. From an archive the linker takes files as they are
// wanted, so that this one is wanted by Go code only.

#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>

#include "signals.h"

void uringgo_after(void) {}

__attribute__((constructor)) static void unblock(void) { pthread_sigmask(SIG_SETMASK, &uringgo_mask, NULL); }
