//go:build linux && cgo && !uringgo

#include "mixed.h"
#include "uring_dispatch.h"

struct member {
	pthread_t thread;
	struct uring_dispatch *d;
	unsigned n, window;
	int result;
};

struct mixed_crew {
	unsigned threads;
	struct member member[];
};

static int work(struct member *m)
{
	struct uring_dispatch *d = m->d;
	struct io_uring_cqe cqes[16];
	unsigned sent = 0, done = 0;
	uint64_t tag;
	int ret = uring_dispatch_reserve(d, &tag), i;

	if (ret)
		return ret;
	while (done < m->n) {
		uring_dispatch_lock(d);
		while (sent < m->n && sent - done < m->window) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(d->ring);

			if (!sqe)
				break;
			io_uring_prep_nop(sqe);
			sqe->user_data = tag | sent++;
		}
		ret = io_uring_submit(d->ring);
		uring_dispatch_unlock(d);
		if (ret < 0 && ret != -EBUSY && ret != -EAGAIN)
			return ret;
		ret = done % 3 ? uring_dispatch_wait(d, tag, cqes, 16) : uring_dispatch_peek(d, tag, cqes, 16);
		if (ret < 0)
			return ret;
		for (i = 0; i < ret; i++) {
			/* NOPs complete in their order, and so they must arrive. */
			if (uring_dispatch_index(d, cqes[i].user_data) != uring_dispatch_index(d, tag) ||
			    uring_dispatch_data(d, cqes[i].user_data) != done || cqes[i].res)
				return -EPROTO;
			done++;
		}
	}
	return uring_dispatch_give_back(d, tag);
}

static void *run(void *arg)
{
	struct member *m = arg;

	m->result = work(m);
	return NULL;
}

struct mixed_crew *mixed_crew_start(struct uring_dispatch *d, unsigned threads, unsigned n, unsigned window)
{
	struct mixed_crew *c = calloc(1, sizeof(*c) + threads * sizeof(c->member[0]));

	if (!c)
		return NULL;
	for (; c->threads < threads; c->threads++) {
		struct member *m = &c->member[c->threads];

		*m = (struct member){ .d = d, .n = n, .window = window };
		if (pthread_create(&m->thread, NULL, run, m))
			break;
	}
	return c;
}

int mixed_crew_join(struct mixed_crew *c)
{
	int result = 0;
	unsigned i;

	if (!c || !c->threads)
		return -ENOMEM;
	for (i = 0; i < c->threads; i++) {
		pthread_join(c->member[i].thread, NULL);
		if (c->member[i].result)
			result = c->member[i].result;
	}
	free(c);
	return result;
}

struct uring_dispatch *mixed_dispatch(struct io_uring *ring, unsigned bits)
{
	struct uring_dispatch *d = malloc(sizeof(*d));

	if (d && uring_dispatch_init(d, ring, bits)) {
		free(d);
		return NULL;
	}
	return d;
}

void mixed_dispatch_free(struct uring_dispatch *d)
{
	uring_dispatch_exit(d);
	free(d);
}
