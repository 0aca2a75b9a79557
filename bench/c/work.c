/*
 * The baseline: what a C program pays for the same work through liburing.
 * Usage: work WORKLOAD MODE DEPTH LENGTH [FILE]; LENGTH is milliseconds, or
 * operations with an x behind them. It prints "operations wall-ns cpu-ns". The loops are those that a user
 * of liburing writes; worker/ does the same step by step in Go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LEAST = 128, CHECK = 4096, BLOCK = 4096, MESSAGE = 64 };

static struct io_uring ring;
static unsigned depth;

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
	fprintf(stderr, "work: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static void submit(unsigned n, unsigned wait)
{
	int ret = io_uring_submit_and_wait(&ring, wait);

	if (ret != (int)n)
		die("submit", ret);
}

/* NOPs: prepare depth of them, submit, wait for all, look at each. */

static long long nop_round(void)
{
	struct io_uring_cqe *cqes[64];
	unsigned i, n, done = 0;

	for (i = 0; i < depth; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_nop(sqe);
		io_uring_sqe_set_data64(sqe, i);
	}
	submit(depth, depth);
	while (done < depth) {
		n = io_uring_peek_batch_cqe(&ring, cqes, 64);
		for (i = 0; i < n; i++)
			if (cqes[i]->res || cqes[i]->user_data != done + i)
				die("completion", cqes[i]->res);
		io_uring_cq_advance(&ring, n);
		done += n;
	}
	return depth;
}

/*
 * Reads of 4 KiB at random places: depth of them in flight; whatever is ready
 * is replaced at once.
 */

static int file;
static bool fixed;
static unsigned long long blocks;
static char *buffers;
static unsigned long long seed = 88172645463325252ULL;
static unsigned inflight, idle[4096], idles;

static unsigned long long next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static long long read_round(void)
{
	struct io_uring_cqe *cqes[64];
	unsigned i, n, queued = 0;

	while (idles) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		unsigned slot = idle[--idles];
		unsigned long long at = next_random() % blocks * BLOCK;
		char *buf = buffers + (size_t)slot * BLOCK;

		if (fixed) {
			io_uring_prep_read_fixed(sqe, 0, buf, BLOCK, at, 0);
			sqe->flags |= IOSQE_FIXED_FILE;
		} else {
			io_uring_prep_read(sqe, file, buf, BLOCK, at);
		}
		io_uring_sqe_set_data64(sqe, slot);
		queued++;
	}
	inflight += queued;
	submit(queued, 1);
	n = io_uring_peek_batch_cqe(&ring, cqes, 64);
	for (i = 0; i < n; i++) {
		if (cqes[i]->res != BLOCK)
			die("read", cqes[i]->res);
		idle[idles++] = cqes[i]->user_data;
	}
	io_uring_cq_advance(&ring, n);
	inflight -= n;
	return n;
}

static void read_open(const char *path, bool direct)
{
	struct stat st;
	struct iovec iov;
	int ret;

	file = open(path, O_RDONLY | (direct ? O_DIRECT : 0));
	if (file < 0 || fstat(file, &st))
		die(path, -errno);
	blocks = st.st_size / BLOCK;
	if (posix_memalign((void **)&buffers, BLOCK, (size_t)depth * BLOCK))
		die("buffers", -ENOMEM);
	for (idles = 0; idles < depth; idles++)
		idle[idles] = idles;
	if (!fixed)
		return;
	iov.iov_base = buffers;
	iov.iov_len = (size_t)depth * BLOCK;
	ret = io_uring_register_buffers(&ring, &iov, 1);
	if (!ret)
		ret = io_uring_register_files(&ring, &file, 1);
	if (ret)
		die("register", ret);
}

/*
 * Ping-pong on depth socket pairs: one side sends 64 bytes, the other receives
 * them and sends them back. An operation is one round trip of one pair.
 */

static int (*pairs)[2];
static char (*messages)[2][MESSAGE];

static void half(unsigned from)
{
	struct io_uring_cqe *cqes[64];
	unsigned i, n, done = 0;

	for (i = 0; i < depth; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_recv(sqe, pairs[i][!from], messages[i][!from],
				   MESSAGE, 0);
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_send(sqe, pairs[i][from], messages[i][from],
				   MESSAGE, 0);
	}
	submit(2 * depth, 2 * depth);
	while (done < 2 * depth) {
		n = io_uring_peek_batch_cqe(&ring, cqes, 64);
		for (i = 0; i < n; i++)
			if (cqes[i]->res != MESSAGE)
				die("message", cqes[i]->res);
		io_uring_cq_advance(&ring, n);
		done += n;
	}
}

static long long pingpong_round(void)
{
	half(0);
	half(1);
	return depth;
}

static void pingpong_open(void)
{
	unsigned i;

	pairs = calloc(depth, sizeof(*pairs));
	messages = calloc(depth, sizeof(*messages));
	for (i = 0; i < depth; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]))
			die("socketpair", -errno);
}

/*
 * Multishot receive: depth messages are sent through a socket pair, each
 * arrives in a buffer of a provided ring, which goes back at once.
 */

static int ends[2];
static struct io_uring_buf_ring *br;
static bool armed;

static long long mrecv_round(void)
{
	struct io_uring_cqe *cqes[64];
	unsigned i, n, done = 0, queued = 0;

	if (!armed) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_recv_multishot(sqe, ends[1], NULL, 0, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = 0;
		io_uring_sqe_set_data64(sqe, 1);
		armed = true;
		queued++;
	}
	for (i = 0; i < depth; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_send(sqe, ends[0], buffers, MESSAGE, 0);
		io_uring_sqe_set_data64(sqe, 0);
		queued++;
	}
	submit(queued, 2 * depth);
	while (done < 2 * depth) {
		n = io_uring_peek_batch_cqe(&ring, cqes, 64);
		for (i = 0; i < n; i++) {
			const struct io_uring_cqe *c = cqes[i];
			unsigned id = c->flags >> IORING_CQE_BUFFER_SHIFT;

			if (c->res != MESSAGE)
				die("message", c->res);
			if (!c->user_data)
				continue;
			if (!(c->flags & IORING_CQE_F_MORE))
				armed = false;
			io_uring_buf_ring_add(br, buffers + id * MESSAGE,
					      MESSAGE, id,
					      io_uring_buf_ring_mask(2 * LEAST),
					      0);
			io_uring_buf_ring_advance(br, 1);
		}
		io_uring_cq_advance(&ring, n);
		done += n;
	}
	return depth;
}

static void mrecv_open(void)
{
	struct io_uring_buf_reg reg = { .ring_entries = 2 * LEAST };
	unsigned i;
	int ret;

	/* Datagrams, so that a message is a completion. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		die("socketpair", -errno);
	if (posix_memalign((void **)&br, 4096,
			   2 * LEAST * sizeof(struct io_uring_buf)) ||
	    posix_memalign((void **)&buffers, 4096, 2 * LEAST * MESSAGE))
		die("buffers", -ENOMEM);
	memset(br, 0, 2 * LEAST * sizeof(struct io_uring_buf));
	reg.ring_addr = (unsigned long)br;
	ret = io_uring_register_buf_ring(&ring, &reg, 0);
	if (ret)
		die("buffer ring", ret);
	for (i = 0; i < 2 * LEAST; i++)
		io_uring_buf_ring_add(br, buffers + i * MESSAGE, MESSAGE, i,
				      io_uring_buf_ring_mask(2 * LEAST), i);
	io_uring_buf_ring_advance(br, 2 * LEAST);
}

/* Runs for limit operations, or if that is 0 for ns nanoseconds. */
static long long run(long long (*round)(void), long long limit, long long ns)
{
	long long end = clock_ns() + ns, ops = 0, next;

	do {
		for (next = limit ? limit : ops + CHECK; ops < next;)
			ops += round();
	} while (!limit && clock_ns() < end);
	return ops;
}

int main(int argc, char **argv)
{
	struct io_uring_params p = {};
	long long (*round)(void);
	long long ns = 0, limit = 0, wall, cpu, ops;
	const char *entries;
	int ret;

	if (argc < 5)
		return 2;
	depth = atoi(argv[3]);
	if (strchr(argv[4], 'x'))
		limit = atoll(argv[4]);
	else
		ns = atoll(argv[4]) * 1000000LL;
	if (!strncmp(argv[2], "defer", 5))
		p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	if (!strncmp(argv[2], "sqpoll", 6))
		p.flags = IORING_SETUP_SQPOLL;
	entries = strstr(argv[2], ",entries=");
	ret = io_uring_queue_init_params(entries	    ? atoi(entries + 9) :
					 depth * 2 > LEAST ? depth * 2 :
							     LEAST,
					 &ring, &p);
	if (ret)
		die("init", ret);
	if (!strncmp(argv[2], "defer", 5)) {
		ret = io_uring_register_ring_fd(&ring);
		if (ret != 1)
			die("register ring", ret);
	}
	if (!strcmp(argv[1], "nop")) {
		round = nop_round;
	} else if (!strncmp(argv[1], "read", 4) && argc > 5) {
		fixed = strstr(argv[1], "fixed");
		read_open(argv[5], strstr(argv[1], "direct"));
		round = read_round;
	} else if (!strcmp(argv[1], "pingpong")) {
		pingpong_open();
		round = pingpong_round;
	} else if (!strcmp(argv[1], "mrecv")) {
		mrecv_open();
		round = mrecv_round;
	} else {
		return 2;
	}
	run(round, limit / 10, ns / 10);
	wall = clock_ns();
	cpu = cpu_ns();
	ops = run(round, limit, ns);
	cpu = cpu_ns() - cpu;
	wall = clock_ns() - wall;
	printf("%lld %lld %lld\n", ops, wall, cpu);
	while (inflight) {
		struct io_uring_cqe *cqe;

		ret = io_uring_wait_cqe(&ring, &cqe);
		if (ret)
			die("wait", ret);
		io_uring_cqe_seen(&ring, cqe);
		inflight--;
	}
	io_uring_queue_exit(&ring);
	return 0;
}
