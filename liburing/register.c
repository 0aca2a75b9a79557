//go:build linux && cgo

/*
 * Registration: the library's typed functions where they can express the call,
 * and io_uring_register for the rest.
 */
#include "shim.h"

#include <errno.h>
#include <stdlib.h>

static bool wrong_thread(const struct uring_ring *h)
{
	return h->bound && !pthread_equal(h->owner, pthread_self());
}

/* By descriptor, or by index where the kernel takes one. */
static int raw(struct uring_ring *h, unsigned op, void *arg, unsigned n)
{
	struct io_uring *ring = &h->ring;

#ifdef IORING_FEAT_REG_REG_RING
	if (h->bound && ring->features & IORING_FEAT_REG_REG_RING)
		return io_uring_register(ring->enter_ring_fd,
					 op | IORING_REGISTER_USE_REGISTERED_RING,
					 arg, n);
#endif
	return io_uring_register(ring->ring_fd, op, arg, n);
}

int uring_register(struct uring_ring *h, unsigned op, uintptr_t arg, unsigned n)
{
	if (wrong_thread(h))
		return URING_WRONG_THREAD;
	return raw(h, op, (void *)arg, n);
}

int uring_register_ring_fd(struct uring_ring *h)
{
	int ret = io_uring_register_ring_fd(&h->ring);

	if (ret == 1) {
		h->bound = true;
		h->owner = pthread_self();
	}
	return ret;
}

int uring_unregister_ring_fd(struct uring_ring *h)
{
	int ret;

	if (wrong_thread(h))
		return URING_WRONG_THREAD;
	ret = io_uring_unregister_ring_fd(&h->ring);
	if (ret == 1)
		h->bound = false;
	return ret;
}

int uring_close_ring_fd(struct uring_ring *h)
{
#if URING_HEADER(2, 4)
	return LATER(io_uring_close_ring_fd)(&h->ring);
#else
	(void)h;
	return URING_TOO_OLD;
#endif
}

/*
 * The staging area follows the queue to its new size; Go puts what is staged
 * back into it. The library returns one error for the kernel's refusal and for a
 * mapping that failed afterwards. The kernel writes its answer into p before the
 * last thing it can refuse for, which is EOVERFLOW; any other error beside an
 * answer is taken for the loss of the ring.
 */
int uring_resize(struct uring_ring *h, struct io_uring_params *p)
{
#if URING_HEADER(2, 9)
	struct io_uring_sqe *stage;
	unsigned shift = !!(h->ring.flags & IORING_SETUP_SQE128);
	size_t slots;
	int ret;

	if (wrong_thread(h))
		return URING_WRONG_THREAD;
	/* Before the point of no return: the largest queue there is. */
	slots = (size_t)(p->sq_entries > 32768 ? 32768 : p->sq_entries) * 2;
	stage = calloc(slots << shift, sizeof(*stage));
	if (!stage)
		return -ENOMEM;
	ret = LATER(io_uring_resize_rings)(&h->ring, p);
	if (ret < 0) {
		free(stage);
		return p->sq_off.ring_entries && ret != -EOVERFLOW ? URING_LOST :
								      ret;
	}
	free(h->stage);
	h->stage = stage;
	h->copied = 0;
	return 0;
#else
	(void)h;
	(void)p;
	return URING_TOO_OLD;
#endif
}
