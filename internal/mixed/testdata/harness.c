/*
 * The C half of the tests, without Go, to be built with a checker of memory or of
 * threads: a ring by turns in two views, a dispatcher with threads, children.
 */
#include "../mixed.h"
#include "../../../liburing/uring_dispatch.h"

#include <stdio.h>
#include <sys/wait.h>

#define CHECK(x)                                                               \
	do {                                                                   \
		if (!(x)) {                                                    \
			fprintf(stderr, "harness: line %d: %s\n", __LINE__, #x); \
			return 1;                                              \
		}                                                              \
	} while (0)

static int turns(void)
{
	struct io_uring_params p = { 0 };
	struct io_uring *a, *b;
	uint64_t data[16];
	unsigned i;

	CHECK(!mixed_open(&a, 8, &p));
	CHECK(!mixed_map(&b, a->ring_fd, &p));
	for (i = 0; i < 300; i++) {
		struct io_uring *from = i % 2 ? a : b, *to = i % 3 ? a : b;

		mixed_sync(from);
		CHECK(mixed_nops(from, i * 10, 5) == 5);
		CHECK(mixed_submit(from, 5) == 5);
		CHECK(mixed_reap(to, data, 16) == 5 && data[4] == i * 10 + 4);
	}
	mixed_unmap(b);
	mixed_exit(a);
	return 0;
}

static int crew(unsigned threads, unsigned n)
{
	struct io_uring_params p = { 0 };
	struct io_uring_cqe cqe;
	struct uring_dispatch *d;
	struct io_uring *ring;

	CHECK(!mixed_open(&ring, 64, &p));
	d = mixed_dispatch(ring, 6);
	CHECK(d);
	CHECK(!mixed_dispatch(ring, 0) && !mixed_dispatch(ring, 11));
	CHECK(!mixed_crew_join(mixed_crew_start(d, threads, n, 8)));
	/* Boxes that grew, and one that nobody empties. */
	CHECK(mixed_nops(ring, 1ULL << 58, 50) == 50 && mixed_submit(ring, 50) == 50);
	CHECK(uring_dispatch_peek(d, 0, &cqe, 1) == 1 && cqe.user_data == 1ULL << 58);
	mixed_dispatch_free(d);
	mixed_exit(ring);
	return 0;
}

static int children(void)
{
	struct io_uring_params p = { 0 };
	struct io_uring *ring;
	int status;

	CHECK(!mixed_open(&ring, 8, &p));
	CHECK(!io_uring_ring_dontfork(ring));
	status = mixed_fork(ring, MIXED_OWN);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = mixed_fork(ring, MIXED_TOUCH_RING);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == 11);
	mixed_exit(ring);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1) /* a checker of threads does not follow a fork */
		return crew(4, 500);
	return turns() || crew(3, 500) || children();
}
