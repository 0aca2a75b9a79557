// Threads: one submits while another reaps; every thread with a ring of its own,
// bound to it, its descriptor registered; more threads than processors, all
// waiting; threads that come and go.
#include "check.h"

enum { messages = 20000, crowd = 24 };

static struct io_uring shared;

static void *reaper(void *arg)
{
	unsigned long long sum = 0;
	int n = 0;

	(void)arg;
	while (n < messages) {
		struct __kernel_timespec limit = { 10, 0 };
		struct io_uring_cqe *cqe;
		int ret = io_uring_wait_cqe_timeout(&shared, &cqe, &limit);
		CHECK(ret == 0);
		sum += cqe->user_data;
		CHECK(cqe->res == 0);
		io_uring_cqe_seen(&shared, cqe);
		n++;
	}
	printf("reaped %d, sum %llu\n", n, sum);
	return NULL;
}

static void *own_ring(void *arg)
{
	struct io_uring ring;
	int ends[2];
	char byte = 0;
	long sum = 0;

	CHECK(pipe(ends) == 0);
	CHECK(io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0);
	CHECK(io_uring_register_ring_fd(&ring) == 1);
	for (int i = 0; i < 50; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read(sqe, ends[0], &byte, 1, 0);
		sqe->user_data = i;
		CHECK(io_uring_submit(&ring) == 1);
		char out = i;
		CHECK(write(ends[1], &out, 1) == 1);
		struct io_uring_cqe *cqe;
		CHECK(io_uring_wait_cqe(&ring, &cqe) == 0);
		CHECK(cqe->res == 1 && byte == out);
		sum += cqe->user_data;
		io_uring_cqe_seen(&ring, cqe);
	}
	CHECK(io_uring_unregister_ring_fd(&ring) == 1);
	io_uring_queue_exit(&ring);
	close(ends[0]);
	close(ends[1]);
	*(long *)arg = sum;
	return NULL;
}

// Waits on a pipe until main writes; main itself uses a ring meanwhile.
static int gate[2];

static void *waiter(void *arg)
{
	struct io_uring ring;
	char byte;

	(void)arg;
	CHECK(io_uring_queue_init(2, &ring, 0) == 0);
	io_uring_prep_read(io_uring_get_sqe(&ring), gate[0], &byte, 1, 0);
	CHECK(io_uring_submit_and_wait(&ring, 1) == 1);
	io_uring_queue_exit(&ring);
	return NULL;
}

static void *stranger(void *arg)
{
	struct io_uring *ring = arg;
	show("submit from another thread", io_uring_submit(ring));
	return NULL;
}

int main(void)
{
	pthread_t thread, many[crowd];
	long sums[crowd], sum = 0;

	CHECK(io_uring_queue_init(64, &shared, 0) == 0);
	CHECK(pthread_create(&thread, NULL, reaper, NULL) == 0);
	for (int i = 0; i < messages;) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&shared);
		if (sqe) {
			io_uring_prep_nop(sqe);
			sqe->user_data = ++i;
			if (i % 7)
				continue;
		}
		CHECK(io_uring_submit(&shared) >= 0);
	}
	while (io_uring_sq_ready(&shared))
		CHECK(io_uring_submit(&shared) >= 0);
	CHECK(pthread_join(thread, NULL) == 0);
	io_uring_queue_exit(&shared);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < crowd; i++)
			CHECK(pthread_create(&many[i], NULL, own_ring, &sums[i]) == 0);
		for (int i = 0; i < crowd; i++) {
			CHECK(pthread_join(many[i], NULL) == 0);
			sum += sums[i];
		}
	}
	printf("rings of threads: %ld\n", sum);

	struct io_uring ring;
	CHECK(pipe(gate) == 0);
	CHECK(io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER) == 0);
	for (int i = 0; i < crowd; i++)
		CHECK(pthread_create(&many[i], NULL, waiter, NULL) == 0);
	for (int i = 0; i < 100; i++) {
		nops(&ring, 8);
		CHECK(io_uring_submit_and_wait(&ring, 8) == 8);
		io_uring_cq_advance(&ring, 8);
	}
	char open[crowd] = { 0 };
	CHECK(write(gate[1], open, crowd) == crowd);
	for (int i = 0; i < crowd; i++)
		CHECK(pthread_join(many[i], NULL) == 0);
	printf("all waiters came back\n");

	nops(&ring, 1);
	CHECK(pthread_create(&thread, NULL, stranger, &ring) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	io_uring_queue_exit(&ring);
	return 0;
}
