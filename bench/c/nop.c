/*
 * The baseline: what a C program pays for the same NOPs. Usage: nop MODE BATCH
 * MILLISECONDS; prints "operations wall-ns cpu-ns". The loop is the one that a
 * user of liburing writes, and worker/main.go does the same step by step.
 */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LEAST = 128, CHECK = 4096 };

static long long clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static long long cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static void die(const char *what, int ret)
{
	fprintf(stderr, "nop: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void round_trip(struct io_uring *ring, unsigned batch)
{
	struct io_uring_cqe *cqes[64];
	unsigned i, n, done = 0;
	int ret;

	for (i = 0; i < batch; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, i);
	}
	ret = io_uring_submit_and_wait(ring, batch);
	if (ret != (int)batch)
		die("submit", ret);
	while (done < batch) {
		n = io_uring_peek_batch_cqe(ring, cqes, 64);
		for (i = 0; i < n; i++)
			if (cqes[i]->res || cqes[i]->user_data != done + i)
				die("completion", cqes[i]->res);
		io_uring_cq_advance(ring, n);
		done += n;
	}
}

static long long run(struct io_uring *ring, unsigned batch, long long ns)
{
	long long end = clock_ns() + ns, ops = 0;
	unsigned i;

	do {
		for (i = 0; i < CHECK; i += batch)
			round_trip(ring, batch);
		ops += i;
	} while (clock_ns() < end);
	return ops;
}

int main(int argc, char **argv)
{
	struct io_uring_params p = {};
	struct io_uring ring;
	long long ns, wall, cpu, ops;
	unsigned batch;
	int ret;

	if (argc != 4)
		return 2;
	batch = atoi(argv[2]);
	ns = atoll(argv[3]) * 1000000LL;
	if (!strcmp(argv[1], "defer"))
		p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	ret = io_uring_queue_init_params(batch > LEAST ? batch : LEAST, &ring,
					 &p);
	if (ret)
		die("init", ret);
	if (!strcmp(argv[1], "defer")) {
		ret = io_uring_register_ring_fd(&ring);
		if (ret != 1)
			die("register ring", ret);
	}
	run(&ring, batch, ns / 10);
	wall = clock_ns();
	cpu = cpu_ns();
	ops = run(&ring, batch, ns);
	cpu = cpu_ns() - cpu;
	wall = clock_ns() - wall;
	printf("%lld %lld %lld\n", ops, wall, cpu);
	io_uring_queue_exit(&ring);
	return 0;
}
