/*
 * The submission, which is the crossing that counts. It is inline, so that cgo's
 * stub holds it whole: where the kernel clobbers the processor's return
 * predictor, as it does on some, every function to return from after a system
 * call costs 5 ns. And it returns nothing, since for a result cgo looks up the
 * goroutine's stack twice; what came of it is in the ring.
 */
#ifndef URING_SUBMIT_H
#define URING_SUBMIT_H

#include "shim.h"

#ifdef URING_SHIM_H /* empty without the library, where #error speaks */

/*
 * Moves staged entries, from index first on, into the queue until it is full.
 * What lies in a row on both sides is copied at once.
 */
static inline unsigned uring_move(struct uring_ring *h, unsigned first,
				  unsigned staged)
{
	struct io_uring *ring = h->ring;
	unsigned shift = ring->flags & IORING_SETUP_SQE128 ? 1 : 0;
	unsigned mask = *ring->sq.kring_mask, i;
	const struct io_uring_sqe *from = NULL;
	struct io_uring_sqe *start = NULL, *end = NULL;

	for (i = 0; i < staged; i++) {
		struct io_uring_sqe *to = io_uring_get_sqe(ring);
		unsigned at = (first + i) & mask;

		if (!to)
			break;
		if (to != end || !at) {
			if (start)
				memcpy(start, from, (char *)end - (char *)start);
			start = to;
			from = &h->stage[(size_t)at << shift];
		}
		end = to + (1 << shift);
	}
	if (end - start == 1)
		memcpy(start, from, sizeof(*start)); /* spares it the call */
	else if (start)
		memcpy(start, from, (char *)end - (char *)start);
	return i;
}

/*
 * What is ready, for Go to read without a crossing of its own: the library says
 * where, and nothing is consumed.
 */
static inline void uring_look(struct uring_ring *h)
{
	unsigned ready = io_uring_cq_ready(h->ring);

	h->found = 0;
	if (ready) /* else peek would enter the kernel */
		h->found = io_uring_peek_batch_cqe(
			h->ring, h->cqes,
			ready < URING_FOUND ? ready : URING_FOUND);
}

/* Into the library's queue, and no further: who submits next submits them. */
static inline void uring_flush(uintptr_t at, unsigned first, unsigned staged)
{
	struct uring_ring *h = (struct uring_ring *)at;

	h->moved = uring_move(h, first, staged);
}

static inline void uring_submit(uintptr_t at, unsigned first, unsigned staged,
				unsigned wait_nr, unsigned how)
{
	struct uring_ring *h = (struct uring_ring *)at;
	struct io_uring *ring = h->ring;

	if (uring_wrong_thread(h)) {
		h->ret = URING_WRONG_THREAD;
		h->moved = 0;
		h->found = 0;
		return;
	}
	h->moved = uring_move(h, first, staged);
	if (how & ~(URING_GETEVENTS | URING_LOOK))
		h->ret = uring_submit_with_arg(h, wait_nr, how);
	else if (wait_nr)
		h->ret = io_uring_submit_and_wait(ring, wait_nr);
	else if (how & URING_GETEVENTS)
		h->ret = io_uring_submit_and_get_events(ring);
	else
		h->ret = io_uring_submit(ring);
	if (how & URING_LOOK)
		uring_look(h);
}

#endif /* URING_SHIM_H */
#endif
