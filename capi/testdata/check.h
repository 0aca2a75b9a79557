// What the programs here share. Each prints what it sees, without addresses and
// numbers that differ from run to run: the test compares the output on C's
// liburing with that on ours.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <liburing.h>

#define CHECK(what)                                                                    \
	do {                                                                           \
		if (!(what)) {                                                         \
			printf("%s:%d: %s does not hold\n", __FILE__, __LINE__, #what); \
			exit(1);                                                       \
		}                                                                      \
	} while (0)

// show prints a result: a number, or the name of an errno.
static inline int show(const char *what, int ret)
{
	if (ret < 0)
		printf("%s: %s\n", what, strerrorname_np(-ret));
	else
		printf("%s: %d\n", what, ret);
	return ret;
}

// nops queues n NOPs with user data from 1 on.
static inline void nops(struct io_uring *ring, int n)
{
	for (int i = 1; i <= n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		CHECK(sqe);
		io_uring_prep_nop(sqe);
		sqe->user_data = i;
	}
}

// reap prints and consumes what is there.
static inline void reap(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(ring, head, cqe) {
		printf("  data %lld res %d flags %#x\n", (long long)cqe->user_data, cqe->res, cqe->flags);
		n++;
	}
	io_uring_cq_advance(ring, n);
}
