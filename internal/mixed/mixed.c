//go:build linux && cgo && !uringgo

#include "mixed.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int mixed_open(struct io_uring **ring, unsigned entries, struct io_uring_params *p)
{
	struct io_uring *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	ret = io_uring_queue_init_params(entries, r, p);
	if (ret < 0) {
		free(r);
		return ret;
	}
	*ring = r;
	return 0;
}

int mixed_map(struct io_uring **ring, int fd, struct io_uring_params *p)
{
	struct io_uring *r = calloc(1, sizeof(*r));
	unsigned i;
	int ret;

	if (!r)
		return -ENOMEM;
	ret = io_uring_queue_mmap(fd, p, r);
	if (ret < 0) {
		free(r);
		return ret;
	}
	/* liburing 2.9 leaves these out: its helpers then take every entry for one of the
	   plain size, and enter the ring by descriptor 0. */
	r->flags = p->flags;
	r->features = p->features;
	r->ring_fd = r->enter_ring_fd = fd;
	if (r->sq.array && p->sq_off.array)
		for (i = 0; i < p->sq_entries; i++)
			r->sq.array[i] = i;
	mixed_sync(r);
	*ring = r;
	return 0;
}

void mixed_sync(struct io_uring *ring)
{
	ring->sq.sqe_head = ring->sq.sqe_tail = *ring->sq.ktail;
}

void mixed_exit(struct io_uring *ring)
{
	io_uring_queue_exit(ring);
	free(ring);
}

void mixed_unmap(struct io_uring *ring)
{
	// queue_exit closes the descriptor, which is the other side's.
	int fd = dup(ring->ring_fd);

	ring->ring_fd = ring->enter_ring_fd = fd;
	mixed_exit(ring);
}

unsigned mixed_nops(struct io_uring *ring, uint64_t first, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (!sqe)
			break;
		io_uring_prep_nop(sqe);
		sqe->user_data = first + i;
	}
	return i;
}

int mixed_submit(struct io_uring *ring, unsigned wait)
{
	return wait ? io_uring_submit_and_wait(ring, wait) : io_uring_submit_and_get_events(ring);
}

unsigned mixed_reap(struct io_uring *ring, uint64_t *data, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		struct io_uring_cqe *cqe;

		if (io_uring_peek_cqe(ring, &cqe))
			break;
		data[i] = cqe->user_data;
		io_uring_cqe_seen(ring, cqe);
	}
	return i;
}

int mixed_register(struct io_uring *ring) { return io_uring_register_ring_fd(ring); }

int mixed_unregister(struct io_uring *ring) { return io_uring_unregister_ring_fd(ring); }

int mixed_read(struct io_uring *ring, int fd, char *to, unsigned n, uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int ret;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_read(sqe, fd, to, n, 0);
	sqe->user_data = data;
	ret = io_uring_submit_and_wait(ring, 1);
	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret < 0)
		return ret;
	if (cqe->user_data != data)
		return -EPROTO;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

// own_ring is what a child may do at any rate.
static int own_ring(void)
{
	struct io_uring ring;
	uint64_t data[4];
	int ret;

	if (io_uring_queue_init(8, &ring, 0) < 0)
		return 1;
	mixed_nops(&ring, 40, 4);
	ret = mixed_submit(&ring, 4);
	if (ret != 4 || mixed_reap(&ring, data, 4) != 4 || data[3] != 43)
		return 2;
	io_uring_queue_exit(&ring);
	return 7;
}

// Of a process with threads the child has only the one that forked, and locks as
// they were: it calls nothing that takes one. The Go runtime's handlers came with
// it and must not run.
static void calm(void)
{
	int sig;

	for (sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
}

static int waited(pid_t child)
{
	int status;

	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

int mixed_fork(struct io_uring *ring, int what)
{
	pid_t child = fork();

	if (child == 0) {
		int ret = 7;

		calm();
		switch (what) {
		case MIXED_TOUCH_SQE:
			*(volatile uint8_t *)&ring->sq.sqes[0].opcode = IORING_OP_NOP;
			break;
		case MIXED_TOUCH_RING: {
			unsigned head = *(volatile unsigned *)ring->cq.khead;

			*(volatile unsigned *)ring->cq.khead = head;
			break;
		}
		case MIXED_ADD:
			mixed_nops(ring, 99, 1);
			/* fallthrough */
		case MIXED_SUBMIT:
			ret = io_uring_submit(ring);
			if (ret < 0)
				ret = 128 - ret;
			break;
		case MIXED_CLOSE:
			close(ring->ring_fd);
			break;
		case MIXED_OWN:
			ret = own_ring();
			break;
		}
		_exit(ret);
	}
	return waited(child);
}

int mixed_fork_at(uintptr_t at)
{
	pid_t child = fork();

	if (child == 0) {
		uint8_t byte;

		calm();
		byte = *(volatile uint8_t *)at;
		*(volatile uint8_t *)at = byte;
		_exit(7);
	}
	return waited(child);
}
