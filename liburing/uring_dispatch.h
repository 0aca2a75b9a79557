/*
 * The C half of liburing.Dispatcher: one ring, used by threads of C's and
 * goroutines of Go's at the same time, of which none loses its completions to
 * another. Everything is in this header, so that a C program needs nothing but
 * liburing and the pointer that Dispatcher.Pointer gives; it may also set up a
 * dispatcher itself and pass it to liburing.AdoptDispatcher.
 *
 * The upper bits of user_data are a tag that says to whom a completion belongs.
 * Each user reserves a tag, and fills in entries so:
 *
 *	uring_dispatch_lock(d);
 *	sqe = io_uring_get_sqe(d->ring);
 *	io_uring_prep_read(sqe, fd, buf, size, 0);
 *	sqe->user_data = tag | mine;
 *	io_uring_submit(d->ring);
 *	uring_dispatch_unlock(d);
 *
 * and later takes what is its own:
 *
 *	n = uring_dispatch_wait(d, tag, cqes, 16);
 *
 * Whoever waits reaps for all: one thread at a time waits in the kernel and puts
 * what belongs to others into their boxes. A completion with a tag that nobody
 * reserved goes to tag 0, which is reserved from the start for whoever made the
 * dispatcher. While a dispatcher exists nobody reaps the ring but through it.
 *
 * A ring with IORING_SETUP_SINGLE_ISSUER or IORING_SETUP_DEFER_TASKRUN belongs to
 * one thread, and so does its dispatcher. Completions of 32 bytes are not carried.
 */
#ifndef URING_DISPATCH_H
#define URING_DISPATCH_H

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define URING_DISPATCH_BITS 10 /* the most bits that a tag may take */

struct uring_dispatch_box {
	struct io_uring_cqe *cqes; /* a queue that grows: size is a power of two */
	unsigned head, tail, size;
	bool reserved;
};

struct uring_dispatch {
	struct io_uring *ring;
	sem_t submit;  /* who fills the queue and submits; any thread may post it */
	pthread_mutex_t lock;  /* guards what follows */
	pthread_cond_t news;
	bool reaping; /* a thread waits in the kernel, or looks at the queue */
	unsigned bits, boxes;
	struct uring_dispatch_box box[1 << URING_DISPATCH_BITS];
};

static inline unsigned uring_dispatch_index(const struct uring_dispatch *d, uint64_t tag)
{
	return (unsigned)(tag >> (64 - d->bits));
}

/* What is left of user_data without the tag. */
static inline uint64_t uring_dispatch_data(const struct uring_dispatch *d, uint64_t user_data)
{
	return user_data & (~0ULL >> d->bits);
}

/* Makes a dispatcher in d whose tags are the upper bits (1 to 10) of user_data. */
static inline int uring_dispatch_init(struct uring_dispatch *d, struct io_uring *ring, unsigned bits)
{
	unsigned wide = IORING_SETUP_CQE32;

#ifdef IORING_SETUP_CQE_MIXED
	wide |= IORING_SETUP_CQE_MIXED;
#endif
	if (bits < 1 || bits > URING_DISPATCH_BITS)
		return -EINVAL;
	if (ring->flags & wide)
		return -EOPNOTSUPP;
	memset(d, 0, sizeof(*d));
	d->ring = ring;
	d->bits = bits;
	d->boxes = 1U << bits;
	d->box[0].reserved = true;
	sem_init(&d->submit, 0, 1);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->news, NULL);
	return 0;
}

/* Releases what init and the completions took. Nobody may be waiting. */
static inline void uring_dispatch_exit(struct uring_dispatch *d)
{
	unsigned i;

	for (i = 0; i < d->boxes; i++)
		free(d->box[i].cqes);
	sem_destroy(&d->submit);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->news);
	memset(d, 0, sizeof(*d));
}

/*
 * Reserves a tag: a number whose upper bits are the tag and whose others are
 * zero, for user_data. -ENOSPC when all are taken. The greatest is never given,
 * for liburing marks its own timeouts with all ones.
 */
static inline int uring_dispatch_reserve(struct uring_dispatch *d, uint64_t *tag)
{
	int ret = -ENOSPC;
	unsigned i;

	pthread_mutex_lock(&d->lock);
	for (i = 1; i + 1 < d->boxes; i++) {
		if (d->box[i].reserved)
			continue;
		d->box[i].reserved = true;
		*tag = (uint64_t)i << (64 - d->bits);
		ret = 0;
		break;
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

/*
 * Gives a tag back. Completions that come for it later, and those that were not
 * taken, go to tag 0.
 */
static inline int uring_dispatch_give_back(struct uring_dispatch *d, uint64_t tag);

/* The submission side: from io_uring_get_sqe to io_uring_submit. */
static inline void uring_dispatch_lock(struct uring_dispatch *d)
{
	while (sem_wait(&d->submit))
		; /* a signal */
}

static inline void uring_dispatch_unlock(struct uring_dispatch *d)
{
	sem_post(&d->submit);
}

/* With the lock held: a completion into a box. False when there is no memory. */
static inline bool uring_dispatch_put(struct uring_dispatch_box *b, const struct io_uring_cqe *cqe)
{
	if (b->tail - b->head == b->size) {
		unsigned size = b->size ? b->size * 2 : 16, i;
		struct io_uring_cqe *cqes = (struct io_uring_cqe *)malloc((size_t)size * sizeof(*cqes));

		if (!cqes)
			return false;
		for (i = 0; i < b->tail - b->head; i++)
			memcpy(&cqes[i], &b->cqes[(b->head + i) & (b->size - 1)], sizeof(*cqes));
		free(b->cqes);
		b->cqes = cqes;
		b->tail -= b->head;
		b->head = 0;
		b->size = size;
	}
	memcpy(&b->cqes[b->tail++ & (b->size - 1)], cqe, sizeof(*cqe));
	return true;
}

static inline unsigned uring_dispatch_take(struct uring_dispatch_box *b, struct io_uring_cqe *dst, unsigned n)
{
	unsigned i;

	for (i = 0; i < n && b->head != b->tail; i++)
		memcpy(&dst[i], &b->cqes[b->head++ & (b->size - 1)], sizeof(*dst));
	return i;
}

static inline int uring_dispatch_give_back(struct uring_dispatch *d, uint64_t tag)
{
	unsigned at = uring_dispatch_index(d, tag);
	struct uring_dispatch_box *b = &d->box[at];
	int ret = -EINVAL;

	pthread_mutex_lock(&d->lock);
	if (at && b->reserved) {
		ret = 0;
		while (b->head != b->tail) {
			if (!uring_dispatch_put(&d->box[0], &b->cqes[b->head & (b->size - 1)])) {
				ret = -ENOMEM;
				break;
			}
			b->head++;
		}
		b->reserved = ret != 0;
		pthread_cond_broadcast(&d->news);
	}
	pthread_mutex_unlock(&d->lock);
	return ret;
}

/* With the lock held and the reaper's role: what is ready goes into the boxes. */
static inline int uring_dispatch_sort(struct uring_dispatch *d)
{
	struct io_uring_cqe *cqes[64];
	unsigned n, i;
	int sorted = 0;

	while ((n = io_uring_peek_batch_cqe(d->ring, cqes, 64)) > 0) {
		for (i = 0; i < n; i++) {
			struct uring_dispatch_box *b = &d->box[uring_dispatch_index(d, cqes[i]->user_data)];

			if (!uring_dispatch_put(b->reserved ? b : &d->box[0], cqes[i]))
				break;
		}
		io_uring_cq_advance(d->ring, i);
		sorted += (int)i;
		if (i < n) /* the rest stays in the ring */
			return sorted ? sorted : -ENOMEM;
	}
	return sorted;
}

/*
 * Takes up to n completions of a tag and returns their number, at least one if
 * wait is set: then it waits for as long as it takes. While another thread waits
 * in the kernel it finds only what that one has sorted. Negative is an errno:
 * -EINVAL for a tag that nobody reserved, -ENOMEM when a box cannot grow, and what
 * io_uring_wait_cqe says, such as -EEXIST on a thread that the ring does not
 * belong to.
 */
static inline int uring_dispatch_reap(struct uring_dispatch *d, uint64_t tag, struct io_uring_cqe *dst, unsigned n, bool wait)
{
	struct uring_dispatch_box *b = &d->box[uring_dispatch_index(d, tag)];
	struct io_uring_cqe *cqe;
	int ret, got = 0;

	if (!n)
		return 0;
	pthread_mutex_lock(&d->lock);
	for (;;) {
		if (!b->reserved) {
			got = -EINVAL;
			break;
		}
		got = (int)uring_dispatch_take(b, dst, n);
		if (got)
			break;
		if (d->reaping) {
			/* Whoever reaps, reaps for us. */
			if (!wait)
				break;
			pthread_cond_wait(&d->news, &d->lock);
			continue;
		}
		ret = uring_dispatch_sort(d);
		if (ret > 0) {
			pthread_cond_broadcast(&d->news);
			continue;
		}
		if (ret < 0) {
			got = ret;
			break;
		}
		if (!wait)
			break;
		d->reaping = true;
		pthread_mutex_unlock(&d->lock);
		ret = io_uring_wait_cqe(d->ring, &cqe);
		pthread_mutex_lock(&d->lock);
		d->reaping = false;
		/* Now whoever is first sorts what came, which may be another. */
		pthread_cond_broadcast(&d->news);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY) {
			got = ret;
			break;
		}
	}
	pthread_mutex_unlock(&d->lock);
	return got;
}

static inline int uring_dispatch_wait(struct uring_dispatch *d, uint64_t tag, struct io_uring_cqe *dst, unsigned n)
{
	return uring_dispatch_reap(d, tag, dst, n, true);
}

static inline int uring_dispatch_peek(struct uring_dispatch *d, uint64_t tag, struct io_uring_cqe *dst, unsigned n)
{
	return uring_dispatch_reap(d, tag, dst, n, false);
}

#endif
