//go:build linux && cgo

/*
 * Setup, waiting and reaping. The submission is in submit.h, registration in
 * register.c.
 */
#include "shim.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef IORING_SETUP_SQ_REWIND
#define REWIND IORING_SETUP_SQ_REWIND
#else
#define REWIND 0
#endif

/* Not in the header of 2.3, which may meet a newer library. */
#if !URING_HEADER(2, 4)
int io_uring_major_version(void);
int io_uring_minor_version(void);
#endif

int uring_library(int *major, int *minor)
{
#if !defined(URING_STATIC) || URING_HEADER(2, 4)
	__typeof__(&io_uring_major_version) first = LATER(io_uring_major_version);
	__typeof__(&io_uring_minor_version) second = LATER(io_uring_minor_version);

	if (first && second) {
		*major = first();
		*minor = second();
		return 1;
	}
#endif
	*major = *minor = 0;
	return 0;
}

static unsigned sqe_shift(const struct io_uring *ring)
{
	return !!(ring->flags & IORING_SETUP_SQE128);
}

/* What struct io_uring and the bytes behind it are filled with before the setup. */
#define FILLER 0xa5

/*
 * The library clears the whole of its struct io_uring: a last byte that it left
 * alone lies beyond it, and a byte behind the header's that it changed does not.
 */
static int sized(const struct uring_ring *h)
{
	const unsigned char *own = (const unsigned char *)&h->own;
	size_t i;

	for (i = 0; i < sizeof(h->guard); i++)
		if (h->guard[i] != FILLER)
			return URING_LARGER;
	return own[sizeof(h->own) - 1] == FILLER ? URING_SMALLER : 0;
}

static int make_stage(struct uring_ring *h)
{
	h->stage = calloc((size_t)*h->ring->sq.kring_entries
				  << sqe_shift(h->ring),
			  sizeof(*h->stage));
	return h->stage ? 0 : -ENOMEM;
}

int uring_open(struct uring_ring **out, unsigned entries,
	       struct io_uring_params *p, void *mem, size_t size)
{
	struct uring_ring *h = calloc(1, sizeof(*h));
	int ret, used = 0;

	if (!h)
		return -ENOMEM;
	h->ring = &h->own;
	memset(&h->own, FILLER, sizeof(h->own));
	memset(h->guard, FILLER, sizeof(h->guard));
	if (mem) {
#if URING_HEADER(2, 5)
		ret = LATER(io_uring_queue_init_mem)(entries, h->ring, p, mem,
						     size);
		used = ret;
#else
		(void)size;
		ret = URING_TOO_OLD;
#endif
	} else {
		ret = io_uring_queue_init_params(entries, h->ring, p);
	}
	if (ret < 0)
		goto fail;
	ret = sized(h);
	if (!ret)
		ret = make_stage(h);
	if (ret) {
		io_uring_queue_exit(h->ring);
		goto fail;
	}
	/*
	 * A ring without a descriptor is an index of this thread's table from
	 * the start.
	 */
	if (h->ring->ring_fd < 0) {
		h->bound = true;
		h->owner = pthread_self();
	}
	*out = h;
	return used;
fail:
	free(h);
	return ret;
}

/* A ring that C made. Go has looked at it before. */
int uring_adopt(struct uring_ring **out, struct io_uring *ring)
{
	struct uring_ring *h = calloc(1, sizeof(*h));
	int ret;

	if (!h)
		return -ENOMEM;
	h->ring = ring;
	ret = make_stage(h);
	if (ret) {
		free(h);
		return ret;
	}
	uring_wrong_thread(h); /* notes this thread if it is registered */
	*out = h;
	return 0;
}

/* Asks the kernel whether the descriptor is a ring's, and nothing else of it. */
int uring_probe(struct io_uring *ring)
{
	bool registered = ring->enter_ring_fd != ring->ring_fd ||
			  ring->int_flags & 0x11;

	return io_uring_enter2(ring->enter_ring_fd, 0, 0,
			       registered ? IORING_ENTER_REGISTERED_RING : 0,
			       NULL, 0);
}

/* Tells whether there is memory at an address, without touching it. */
int uring_mapped(const void *at)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char resident;

	return !mincore((void *)((uintptr_t)at & ~(page - 1)), page, &resident);
}

int uring_close(struct uring_ring *h)
{
	if (h->ring == &h->own) {
		if (uring_wrong_thread(h))
			return URING_WRONG_THREAD;
		io_uring_queue_exit(h->ring);
	}
	free(h->stage);
	free(h);
	return 0;
}

/*
 * Of a ring in the caller's memory the library leaves out the queues (seen with
 * 2.15): they are marked here, from the first word to the last entry, once more
 * where the library did it.
 */
int uring_dontfork(struct uring_ring *h)
{
	struct io_uring *ring = h->ring;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)ring->sq.khead & ~(page - 1);
	unsigned wide = !!(ring->flags & IORING_SETUP_CQE32);
	uintptr_t to = (uintptr_t)(ring->cq.cqes +
				   ((size_t)*ring->cq.kring_entries << wide));
	int ret = io_uring_ring_dontfork(ring);

	if (ret)
		return ret;
	if (to > from && madvise((void *)from, (to - from + page - 1) & ~(page - 1),
				 MADV_DONTFORK))
		return -errno;
	h->dontfork = true;
	return 0;
}

static void set_iowait(struct uring_ring *h, bool on)
{
#if URING_HEADER(2, 10)
	LATER(io_uring_set_iowait)(h->ring, on);
#else
	(void)h;
	(void)on;
#endif
}

/*
 * A wait with a mask or a minimum and no timeout still needs a timespec: without
 * one the library drops the minimum, and offers entries a second time after the
 * kernel refused them. 136 years are as good as none.
 */
static struct __kernel_timespec *bound(struct uring_arg *a, unsigned how)
{
	if (!(how & URING_TIMED)) {
		a->ts.tv_sec = 1LL << 32;
		a->ts.tv_nsec = 0;
	}
	return &a->ts;
}

/*
 * Waits that the library has no function for, or only one that also submits: an
 * absolute timeout, and a registered wait on the completion side. Values of the
 * kernel's, for headers that do not have them yet.
 */
static int enter(struct uring_ring *h, const struct uring_arg *a,
		 unsigned wait_nr, unsigned how)
{
	struct io_uring *ring = h->ring;
	unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
	struct io_uring_getevents_arg arg = {
		.sigmask = how & URING_MASKED ? (uintptr_t)a->mask : 0,
		.sigmask_sz = 8,
		.ts = how & URING_TIMED ? (uintptr_t)&a->ts : 0,
	};

	if (how & URING_MINIMUM)
#if URING_HEADER(2, 8)
		arg.min_wait_usec = a->min_usec;
#else
		arg.pad = a->min_usec; /* the same field, before it had its name */
#endif
	if (h->bound)
		flags |= IORING_ENTER_REGISTERED_RING;
	if (how & URING_NO_IOWAIT)
		flags |= 1U << 7; /* IORING_ENTER_NO_IOWAIT */
	if (how & URING_REGISTERED)
		return io_uring_enter2(ring->enter_ring_fd, 0, wait_nr,
				       flags | 1U << 6, /* EXT_ARG_REG */
				       (void *)(uintptr_t)(a->reg * 64UL), 64);
	if (how & URING_ABSOLUTE)
		flags |= 1U << 5; /* IORING_ENTER_ABS_TIMER */
	return io_uring_enter2(ring->enter_ring_fd, 0, wait_nr, flags,
			       (void *)&arg, sizeof(arg));
}

static int wait_for(struct uring_ring *h, struct uring_arg *a, unsigned wait_nr,
		    unsigned how);

static int submit_and_wait(struct uring_ring *h, unsigned wait_nr, unsigned how)
{
	struct io_uring *ring = h->ring;
	struct uring_arg *a = &h->submit_arg;
	struct io_uring_cqe *cqe;
	sigset_t *mask = how & URING_MASKED ? (sigset_t *)a->mask : NULL;
	unsigned before = io_uring_sq_ready(ring), taken;
	int ret, more;

	/*
	 * In two steps where one will not do: without EXT_ARG the library would
	 * take an entry of the queue for the timeout, with SQ_REWIND the queue
	 * does not tell afterwards how many entries were taken, and the rest is
	 * not the library's.
	 */
	if (!(ring->features & IORING_FEAT_EXT_ARG) || ring->flags & REWIND ||
	    how & (URING_ABSOLUTE | URING_REGISTERED)) {
		ret = io_uring_submit(ring);
		if (ret < 0 || (unsigned)ret < before)
			return ret;
		more = wait_for(h, a, wait_nr, how);
		return ret ? ret : more;
	}
	if (how & URING_MINIMUM) {
#if URING_HEADER(2, 8)
		ret = LATER(io_uring_submit_and_wait_min_timeout)(
			ring, &cqe, wait_nr, bound(a, how), a->min_usec, mask);
#else
		return URING_TOO_OLD;
#endif
	} else {
		ret = io_uring_submit_and_wait_timeout(ring, &cqe, wait_nr,
						       bound(a, how), mask);
	}
	/*
	 * With a completion at hand before the call, the library answers 0
	 * however many entries it submitted. The queue knows.
	 */
	taken = before - io_uring_sq_ready(ring);
	return taken ? (int)taken : ret;
}

/* A submission that asks for more than completions to wait for. */
int uring_submit_with_arg(struct uring_ring *h, unsigned wait_nr, unsigned how)
{
	struct io_uring *ring = h->ring;
	int ret;

	if (how & URING_NO_IOWAIT)
		set_iowait(h, false);
	if (wait_nr && how & (URING_TIMED | URING_MASKED | URING_MINIMUM |
			      URING_REGISTERED))
		ret = submit_and_wait(h, wait_nr, how);
	else if (wait_nr)
		ret = io_uring_submit_and_wait(ring, wait_nr);
	else if (how & URING_GETEVENTS)
		ret = io_uring_submit_and_get_events(ring);
	else
		ret = io_uring_submit(ring);
	if (how & URING_NO_IOWAIT)
		set_iowait(h, true);
	return ret;
}

static int wait_for(struct uring_ring *h, struct uring_arg *a, unsigned wait_nr,
		    unsigned how)
{
	struct io_uring *ring = h->ring;
	struct io_uring_cqe *cqe;
	sigset_t *mask = how & URING_MASKED ? (sigset_t *)a->mask : NULL;
	int ret = 0;

	if (wait_nr && io_uring_cq_ready(ring) >= wait_nr)
		return 0;
	if (how & URING_NO_IOWAIT)
		set_iowait(h, false);
	if (!wait_nr) {
		if (how & URING_GETEVENTS ||
		    *ring->sq.kflags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN) ||
		    (ring->flags & (IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL)) ==
			    IORING_SETUP_IOPOLL)
			ret = io_uring_get_events(ring);
	} else if (how & (URING_ABSOLUTE | URING_REGISTERED)) {
		ret = enter(h, a, wait_nr, how);
	} else if (how & URING_MINIMUM) {
#if URING_HEADER(2, 8)
		ret = LATER(io_uring_wait_cqes_min_timeout)(
			ring, &cqe, wait_nr, bound(a, how), a->min_usec, mask);
#else
		ret = URING_TOO_OLD;
#endif
	} else if (ring->features & IORING_FEAT_EXT_ARG) {
		ret = io_uring_wait_cqes(ring, &cqe, wait_nr, bound(a, how),
					 mask);
	} else {
		/* No timeout here: Go has refused it. */
		ret = io_uring_wait_cqes(ring, &cqe, wait_nr, NULL, mask);
	}
	if (how & URING_NO_IOWAIT)
		set_iowait(h, true);
	return ret;
}

int uring_wait(uintptr_t at, unsigned wait_nr, unsigned how)
{
	struct uring_ring *h = (struct uring_ring *)at;

	if (uring_wrong_thread(h))
		return URING_WRONG_THREAD;
	return wait_for(h, &h->wait_arg, wait_nr, how);
}

/*
 * Copies up to n completions to dst, 16 bytes each or 32 with extra, and
 * consumes them. The kernel is entered at most once, and only for the first.
 */
unsigned uring_peek(uintptr_t at, struct io_uring_cqe *dst, unsigned n,
		    bool extra)
{
	struct uring_ring *h = (struct uring_ring *)at;
	struct io_uring *ring = h->ring;
	struct io_uring_cqe *cqes[64];
	unsigned char *to = (unsigned char *)dst;
	unsigned got = 0, batch, want, i;

	if (uring_wrong_thread(h))
		return 0;
	if ((ring->flags & (IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL)) ==
		    IORING_SETUP_IOPOLL &&
	    !io_uring_cq_ready(ring)) {
		io_uring_get_events(ring);
		if (!io_uring_cq_ready(ring))
			return 0;
	}
	while (got < n && (!got || io_uring_cq_ready(ring))) {
		unsigned slots = 0;

		want = n - got < 64 ? n - got : 64;
		batch = io_uring_peek_batch_cqe(ring, cqes, want);
		if (!batch)
			break;
		for (i = 0; i < batch; i++) {
			const struct io_uring_cqe *c = cqes[i];
			bool wide = ring->flags & IORING_SETUP_CQE32;

			slots++;
#if URING_HEADER(2, 13)
			if (ring->flags & IORING_SETUP_CQE_MIXED &&
			    c->flags & IORING_CQE_F_32) {
				wide = true;
				slots++;
			}
#endif
			memcpy(to, c, 16);
			to += 16;
			if (!extra)
				continue;
			if (wide)
				memcpy(to, (const char *)c + 16, 16);
			else
				memset(to, 0, 16);
			to += 16;
		}
		io_uring_cq_advance(ring, slots);
		got += batch;
	}
	return got;
}

struct uring_status uring_status(uintptr_t at)
{
	struct uring_ring *h = (struct uring_ring *)at;
	struct io_uring *ring = h->ring;
	struct uring_status s = {
		.sq_ready = io_uring_sq_ready(ring),
		.sq_space = io_uring_sq_space_left(ring),
		.cq_ready = io_uring_cq_ready(ring),
		.dropped = *(volatile unsigned *)ring->sq.kdropped,
		.overflowed = *(volatile unsigned *)ring->cq.koverflow,
		.sq_flags = *(volatile unsigned *)ring->sq.kflags &
			    ~IORING_SQ_CQ_OVERFLOW,
	};

	if (io_uring_cq_has_overflow(ring))
		s.sq_flags |= IORING_SQ_CQ_OVERFLOW;
	if (!io_uring_cq_eventfd_enabled(ring))
		s.cq_flags = IORING_CQ_EVENTFD_DISABLED;
	return s;
}
