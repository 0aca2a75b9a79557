//go:build linux

// The other end of signals.c: gives the loading thread its signals back. It must
// run after the Go runtime's constructor, and constructors without a priority run
// in the order in which the linker met their files. The runtime is in the first
// file of a shared library. From an archive the linker takes files as they are
// wanted, so that this one is wanted by Go code only.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/auxv.h>

#include "signals.h"

void uringgo_after(void) {}

// From the shared library the runtime is waited for here, so that a program finds
// its signals as they were when main begins. In a program linked statically that
// would hang if the linker did change the order, and waits for the first call.
static int in_program(void)
{
	Dl_info program, here;

	return dladdr((void *)getauxval(AT_ENTRY), &program) == 0 || dladdr((void *)uringgo_after, &here) == 0 ||
	       program.dli_fbase == here.dli_fbase;
}

__attribute__((constructor)) static void after(void)
{
	pthread_sigmask(SIG_SETMASK, &uringgo_mask, NULL);
	// A child that is forked while the runtime starts would wait for that for ever.
	pthread_atfork(uringgo_enter, NULL, NULL);
	if (!in_program())
		uringgo_enter();
}
