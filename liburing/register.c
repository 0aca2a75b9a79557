//go:build linux && cgo

/*
 * Registration: the library's function for the operation where there is one that
 * makes the same call, and io_uring_register for the rest.
 */
#include "shim.h"

#include <errno.h>
#include <stdlib.h>

/* By descriptor, or by index where the kernel takes one. */
static int raw(struct uring_ring *h, unsigned op, void *arg, unsigned n)
{
	struct io_uring *ring = h->ring;

#ifdef IORING_FEAT_REG_REG_RING
	if (h->bound && ring->features & IORING_FEAT_REG_REG_RING)
		return io_uring_register(ring->enter_ring_fd,
					 op | IORING_REGISTER_USE_REGISTERED_RING,
					 arg, n);
#endif
	return io_uring_register(ring->ring_fd, op, arg, n);
}

/*
 * SAME(p, ...) tells whether *p is what the initialisers make. The library's
 * functions take some fields of an argument and make up the others: an argument
 * that they would make different goes to the kernel raw, so that the kernel
 * judges what it was given.
 */
#define SAME(p, ...)                                                           \
	(!memcmp((p), &(__typeof__(*(p))){ __VA_ARGS__ }, sizeof(*(p))))

/* An address in an argument. */
static void *at(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

static int register_rsrc(struct uring_ring *h, unsigned op, void *arg,
			 unsigned n)
{
	struct io_uring *ring = h->ring;
	bool files = op == IORING_REGISTER_FILES2;
	struct io_uring_rsrc_register *reg = arg;

	if (!reg || n != sizeof(*reg))
		return raw(h, op, arg, n);
	if (SAME(reg, .nr = reg->nr, .flags = IORING_RSRC_REGISTER_SPARSE))
		return files ? io_uring_register_files_sparse(ring, reg->nr) :
			       io_uring_register_buffers_sparse(ring, reg->nr);
	if (SAME(reg, .nr = reg->nr, .data = reg->data, .tags = reg->tags))
		return files ? io_uring_register_files_tags(ring, at(reg->data),
							    at(reg->tags),
							    reg->nr) :
			       io_uring_register_buffers_tags(ring,
							      at(reg->data),
							      at(reg->tags),
							      reg->nr);
	return raw(h, op, arg, n);
}

static int update_rsrc(struct uring_ring *h, unsigned op, void *arg, unsigned n)
{
	struct io_uring *ring = h->ring;
	struct io_uring_rsrc_update2 *up = arg;

	if (!up || n != sizeof(*up) ||
	    !SAME(up, .offset = up->offset, .data = up->data, .tags = up->tags,
		  .nr = up->nr))
		return raw(h, op, arg, n);
	if (op == IORING_REGISTER_FILES_UPDATE2)
		return io_uring_register_files_update_tag(ring, up->offset,
							  at(up->data),
							  at(up->tags), up->nr);
	return io_uring_register_buffers_update_tag(ring, up->offset,
						    at(up->data), at(up->tags),
						    up->nr);
}

#if URING_HEADER(2, 9)
/* The library wants the source as a ring, of which it uses the descriptor. */
static int clone_buffers(struct uring_ring *h, void *arg, unsigned n)
{
	struct io_uring_clone_buffers *c = arg;
	struct io_uring src;

	if (!c || n != 1 || c->flags & IORING_REGISTER_SRC_REGISTERED ||
	    !SAME(c, .src_fd = c->src_fd, .flags = c->flags,
		  .src_off = c->src_off, .dst_off = c->dst_off, .nr = c->nr))
		return raw(h, IORING_REGISTER_CLONE_BUFFERS, arg, n);
	memset(&src, 0, sizeof(src));
	src.ring_fd = (int)c->src_fd;
	return LATER(io_uring_clone_buffers_offset)(h->ring, &src, c->dst_off,
						    c->src_off, c->nr,
						    c->flags);
}
#endif

#if URING_HEADER(2, 6)
static int buf_ring_status(struct uring_ring *h, void *arg, unsigned n)
{
	struct io_uring_buf_status *s = arg;
	uint16_t head;
	int ret;

	if (!s || n != 1 || s->buf_group > INT32_MAX ||
	    !SAME(s, .buf_group = s->buf_group, .head = s->head))
		return raw(h, IORING_REGISTER_PBUF_STATUS, arg, n);
	ret = LATER(io_uring_buf_ring_head)(h->ring, (int)s->buf_group, &head);
	if (!ret)
		s->head = head;
	return ret;
}
#endif

/*
 * The library's function for an operation, where there is one that makes exactly
 * this call; the kernel's own entry otherwise. Operations with a method of their
 * own, which change how the library drives the ring, are raw here.
 */
int uring_register(struct uring_ring *h, unsigned op, uintptr_t addr, unsigned n)
{
	struct io_uring *ring = h->ring;
	void *arg = (void *)addr;
	bool bare = !arg && !n;

	if (uring_wrong_thread(h))
		return URING_WRONG_THREAD;
	switch (op) {
	case IORING_REGISTER_BUFFERS:
		return io_uring_register_buffers(ring, arg, n);
	case IORING_UNREGISTER_BUFFERS:
		if (bare)
			return io_uring_unregister_buffers(ring);
		break;
	case IORING_REGISTER_FILES:
		return io_uring_register_files(ring, arg, n);
	case IORING_UNREGISTER_FILES:
		if (bare)
			return io_uring_unregister_files(ring);
		break;
	case IORING_REGISTER_EVENTFD:
		if (arg && n == 1)
			return io_uring_register_eventfd(ring, *(int *)arg);
		break;
	case IORING_REGISTER_EVENTFD_ASYNC:
		if (arg && n == 1)
			return io_uring_register_eventfd_async(ring,
							       *(int *)arg);
		break;
	case IORING_UNREGISTER_EVENTFD:
		if (bare)
			return io_uring_unregister_eventfd(ring);
		break;
	case IORING_REGISTER_FILES_UPDATE: {
		struct io_uring_rsrc_update *up = arg;

		if (up && SAME(up, .offset = up->offset, .data = up->data))
			return io_uring_register_files_update(
				ring, up->offset, at(up->data), n);
		break;
	}
	case IORING_REGISTER_PROBE:
		return io_uring_register_probe(ring, arg, n);
	case IORING_REGISTER_PERSONALITY:
		if (bare)
			return io_uring_register_personality(ring);
		break;
	case IORING_UNREGISTER_PERSONALITY:
		if (!arg && n <= INT32_MAX)
			return io_uring_unregister_personality(ring, (int)n);
		break;
	/* Two that 2.3 declares, and has in the static library only. */
	case IORING_REGISTER_RESTRICTIONS: {
		__typeof__(&io_uring_register_restrictions) restrict_ring =
			LATER(io_uring_register_restrictions);

		if (restrict_ring)
			return restrict_ring(ring, arg, n);
		break;
	}
	case IORING_REGISTER_ENABLE_RINGS: {
		__typeof__(&io_uring_enable_rings) enable_rings =
			LATER(io_uring_enable_rings);

		if (bare && enable_rings)
			return enable_rings(ring);
		break;
	}
	case IORING_REGISTER_FILES2:
	case IORING_REGISTER_BUFFERS2:
		return register_rsrc(h, op, arg, n);
	case IORING_REGISTER_FILES_UPDATE2:
	case IORING_REGISTER_BUFFERS_UPDATE:
		return update_rsrc(h, op, arg, n);
	case IORING_REGISTER_IOWQ_AFF:
		if (n <= INT32_MAX)
			return io_uring_register_iowq_aff(ring, n, arg);
		break;
	case IORING_UNREGISTER_IOWQ_AFF:
		if (bare)
			return io_uring_unregister_iowq_aff(ring);
		break;
	case IORING_REGISTER_IOWQ_MAX_WORKERS:
		if (n == 2)
			return io_uring_register_iowq_max_workers(ring, arg);
		break;
	case IORING_REGISTER_PBUF_RING:
		if (arg && n == 1)
			return io_uring_register_buf_ring(ring, arg, 0);
		break;
	case IORING_UNREGISTER_PBUF_RING: {
		struct io_uring_buf_reg *reg = arg;

		if (reg && n == 1 && SAME(reg, .bgid = reg->bgid))
			return io_uring_unregister_buf_ring(ring, reg->bgid);
		break;
	}
	case IORING_REGISTER_SYNC_CANCEL:
		if (n == 1)
			return io_uring_register_sync_cancel(ring, arg);
		break;
	case IORING_REGISTER_FILE_ALLOC_RANGE: {
		struct io_uring_file_index_range *range = arg;

		if (range && !n &&
		    SAME(range, .off = range->off, .len = range->len))
			return io_uring_register_file_alloc_range(
				ring, range->off, range->len);
		break;
	}
#if URING_HEADER(2, 6)
	case IORING_REGISTER_PBUF_STATUS:
		return buf_ring_status(h, arg, n);
	case IORING_REGISTER_NAPI:
		if (n == 1)
			return LATER(io_uring_register_napi)(ring, arg);
		break;
	case IORING_UNREGISTER_NAPI:
		if (n == 1)
			return LATER(io_uring_unregister_napi)(ring, arg);
		break;
#endif
#if URING_HEADER(2, 8)
	case IORING_REGISTER_CLOCK:
		if (!n)
			return LATER(io_uring_register_clock)(ring, arg);
		break;
#endif
#if URING_HEADER(2, 9)
	case IORING_REGISTER_CLONE_BUFFERS:
		return clone_buffers(h, arg, n);
	case IORING_REGISTER_MEM_REGION:
		if (n == 1)
			return LATER(io_uring_register_region)(ring, arg);
		break;
#endif
#if URING_HEADER(2, 10)
	case IORING_REGISTER_ZCRX_IFQ:
		if (n == 1)
			return LATER(io_uring_register_ifq)(ring, arg);
		break;
#endif
#if URING_HEADER(2, 15)
	case IORING_REGISTER_ZCRX_CTRL:
		if (!n)
			return LATER(io_uring_register_zcrx_ctrl)(ring, arg);
		break;
	case IORING_REGISTER_BPF_FILTER:
		if (n == 1)
			return LATER(io_uring_register_bpf_filter)(ring, arg);
		break;
#endif
	}
	return raw(h, op, arg, n);
}

/* The same for the operations that take no ring. */
int uring_register_ringless(unsigned op, uintptr_t addr, unsigned n)
{
	void *arg = (void *)addr;

	switch (op) {
#if URING_HEADER(2, 12)
	case IORING_REGISTER_SEND_MSG_RING:
		if (n == 1)
			return LATER(io_uring_register_sync_msg)(arg);
		break;
#endif
#if URING_HEADER(2, 15)
	case IORING_REGISTER_QUERY:
		if (!n)
			return LATER(io_uring_register_query)(arg);
		break;
	case IORING_REGISTER_BPF_FILTER:
		if (n == 1)
			return LATER(io_uring_register_bpf_filter_task)(arg);
		break;
#endif
	}
	return io_uring_register(-1, op, arg, n);
}

/* A word of ring memory: no system call. */
int uring_enable_eventfd(struct uring_ring *h, bool on)
{
	return io_uring_cq_eventfd_toggle(h->ring, on);
}

/* What is checked here before the library is asked, 2.3 does not check. */
int uring_register_ring_fd(struct uring_ring *h)
{
	int ret;

	if (h->bound)
		return -EEXIST;
	ret = io_uring_register_ring_fd(h->ring);
	if (ret == 1) {
		h->bound = true;
		h->owner = pthread_self();
	}
	return ret;
}

int uring_unregister_ring_fd(struct uring_ring *h)
{
	int ret;

	if (!h->bound)
		return -EINVAL;
	if (uring_wrong_thread(h))
		return URING_WRONG_THREAD;
	ret = io_uring_unregister_ring_fd(h->ring);
	if (ret == 1)
		h->bound = false;
	return ret;
}

int uring_close_ring_fd(struct uring_ring *h)
{
#if URING_HEADER(2, 4)
	return LATER(io_uring_close_ring_fd)(h->ring);
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
	unsigned shift = !!(h->ring->flags & IORING_SETUP_SQE128);
	size_t slots;
	int ret;

	if (uring_wrong_thread(h))
		return URING_WRONG_THREAD;
	/* Before the point of no return: the largest queue there is. */
	slots = (size_t)(p->sq_entries > 32768 ? 32768 : p->sq_entries) * 2;
	stage = calloc(slots << shift, sizeof(*stage));
	if (!stage)
		return -ENOMEM;
	ret = LATER(io_uring_resize_rings)(h->ring, p);
	if (ret < 0) {
		free(stage);
		return p->sq_off.ring_entries && ret != -EOVERFLOW ? URING_LOST :
								      ret;
	}
	free(h->stage);
	h->stage = stage;
	if (h->dontfork)
		uring_dontfork(h);
	return 0;
#else
	(void)h;
	(void)p;
	return URING_TOO_OLD;
#endif
}
