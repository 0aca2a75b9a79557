//go:build linux

// Signals stay the C program's.
//
// A Go runtime installs handlers when it starts: for faults, SIGPIPE and SIGURG.
// A C program did not ask for them. SIGPIPE would no longer end it, a debugger's
// or a crash handler's SIGSEGV would take a detour, and SIGURG, with which the
// runtime interrupts its threads, would end waits in the kernel with EINTR. So
// what was there before the runtime is put back once it runs. The runtime does
// without: a fault in our Go code ends the process either way, and a SIGURG that
// is ignored interrupts nobody.
//
// The runtime's own threads must not take signals either. A program that blocks a
// signal, to wait for it or to read it from a descriptor, means every thread, and
// knows of its own only. The threads inherit the mask of the one that starts the
// runtime, so everything is blocked there while it does.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#include "signals.h"

enum { signals = 64 };
static struct sigaction before[signals + 1];
sigset_t uringgo_mask;

// Runs before the runtime's constructor, which has no priority. after.c has
// what runs after it.
__attribute__((constructor(101))) static void note_signals(void)
{
	sigset_t all;

	for (int sig = 1; sig <= signals; sig++)
		sigaction(sig, NULL, &before[sig]);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &uringgo_mask);
}

// A handler is our runtime's if it lies in this library, or in the program that the
// archive was linked into, if SIGURG and SIGFPE have both the same, and if it was
// installed the way Go does it, with every signal blocked. A program's own,
// installed since, stays, and so does that of another Go runtime.
void uringgo_restore_signals(void)
{
	struct sigaction now, fault;
	const int flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;

	if (sigaction(SIGURG, NULL, &now) || sigaction(SIGFPE, NULL, &fault))
		return;
	void (*handler)(int, siginfo_t *, void *) = now.sa_sigaction;
	if ((now.sa_flags & flags) != flags || !sigismember(&now.sa_mask, SIGUSR1) || !sigismember(&now.sa_mask, SIGTERM))
		return;
	if (handler == before[SIGURG].sa_sigaction || handler != fault.sa_sigaction)
		return;
	Dl_info its, here;
	if (dladdr((void *)handler, &its) == 0 || dladdr((void *)uringgo_restore_signals, &here) == 0 || its.dli_fbase != here.dli_fbase)
		return;
	for (int sig = 1; sig <= signals; sig++) {
		if (sigaction(sig, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == handler)
			sigaction(sig, &before[sig], NULL);
	}
}
