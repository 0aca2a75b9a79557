//go:build linux

// The C names. Each function passes its arguments on to Go; what it adds is the
// choice among Go's functions, which are fewer. Before a thread's first call into
// Go, and before the first of all, there is something to prepare.
//
// Pointers to liburing's structs are void pointers here: no header of liburing is
// needed, of whatever version.

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#include "_cgo_export.h"
#include "signals.h"

// ---- a thread's first call ----

static pthread_once_t started = PTHREAD_ONCE_INIT;
static __thread bool known;

static __attribute__((noinline)) void first(void)
{
	known = true;
	uringgo_prepare(); // waits until the runtime runs
	pthread_once(&started, uringgo_restore_signals);
}

static inline void enter(void)
{
	if (__builtin_expect(!known, 0))
		first();
}

void uringgo_enter(void) { enter(); }

#define API __attribute__((visibility("default")))

// GO calls a function of Go's.
#define GO(call) (enter(), call)

// ---- setup ----

// struct io_uring_params: 120 bytes, of which only the flags matter here.
struct params {
	uint32_t sq_entries, cq_entries, flags;
	uint32_t rest[27];
};
_Static_assert(sizeof(struct params) == 120, "struct io_uring_params");

API int io_uring_queue_init_params(unsigned entries, void *ring, void *p)
{
	int ret = GO(uringgo_queue_init(entries, ring, p, NULL, 0));
	return ret < 0 ? ret : 0;
}

API int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	struct params p = { .flags = flags };
	return io_uring_queue_init_params(entries, ring, &p);
}

API int io_uring_queue_init_mem(unsigned entries, void *ring, void *p, void *buf, size_t size)
{
	return GO(uringgo_queue_init(entries, ring, p, buf, size));
}

API int io_uring_queue_mmap(int fd, void *p, void *ring) { return GO(uringgo_queue_mmap(fd, p, ring)); }
API void io_uring_queue_exit(void *ring) { GO(uringgo_queue_exit(ring)); }
API int io_uring_ring_dontfork(void *ring) { return GO(uringgo_ring_dontfork(ring)); }
API int io_uring_resize_rings(void *ring, void *p) { return GO(uringgo_resize_rings(ring, p)); }

API ssize_t io_uring_memory_size_params(unsigned entries, void *p) { return GO(uringgo_memory_size(entries, p)); }
API ssize_t io_uring_mlock_size_params(unsigned entries, void *p) { return GO(uringgo_mlock_size(entries, p)); }

API ssize_t io_uring_memory_size(unsigned entries, unsigned flags)
{
	struct params p = { .flags = flags };
	return io_uring_memory_size_params(entries, &p);
}

API ssize_t io_uring_mlock_size(unsigned entries, unsigned flags)
{
	struct params p = { .flags = flags };
	return io_uring_mlock_size_params(entries, &p);
}

API int io_uring_major_version(void) { return GO(uringgo_version(0)); }
API int io_uring_minor_version(void) { return GO(uringgo_version(1)); }
API bool io_uring_check_version(int major, int minor) { return GO(uringgo_check_version(major, minor)); }

API void *io_uring_get_probe_ring(void *ring) { return GO(uringgo_get_probe(ring)); }
API void *io_uring_get_probe(void) { return GO(uringgo_get_probe(NULL)); }
API void io_uring_free_probe(void *probe) { GO(uringgo_free_probe(probe)); }

// ---- submitting and waiting ----

API void *io_uring_get_sqe(void *ring) { return GO(uringgo_get_sqe(ring)); }
API int io_uring_submit(void *ring) { return GO(uringgo_submit(ring, 0, 0)); }
API int io_uring_submit_and_wait(void *ring, unsigned wait) { return GO(uringgo_submit(ring, wait, 0)); }
API int io_uring_submit_and_get_events(void *ring) { return GO(uringgo_submit(ring, 0, 1)); }
API int io_uring_get_events(void *ring) { return GO(uringgo_get_events(ring)); }
API int __io_uring_sqring_wait(void *ring) { return GO(uringgo_sqring_wait(ring)); }

API unsigned io_uring_peek_batch_cqe(void *ring, void **cqes, unsigned count)
{
	return GO(uringgo_peek_batch(ring, cqes, count));
}

API int __io_uring_get_cqe(void *ring, void **cqe, unsigned submit, unsigned wait, void *sigmask)
{
	return GO(uringgo_get_cqe(ring, cqe, submit, wait, sigmask));
}

API int io_uring_wait_cqes(void *ring, void **cqe, unsigned wait, void *ts, void *sigmask)
{
	return GO(uringgo_wait_cqes(ring, cqe, wait, ts, 0, sigmask));
}

API int io_uring_wait_cqe_timeout(void *ring, void **cqe, void *ts)
{
	return GO(uringgo_wait_cqes(ring, cqe, 1, ts, 0, NULL));
}

API int io_uring_wait_cqes_min_timeout(void *ring, void **cqe, unsigned wait, void *ts, unsigned least, void *sigmask)
{
	if (GO(uringgo_lacks_min_timeout(ring)))
		return -EINVAL;
	return GO(uringgo_wait_cqes(ring, cqe, wait, ts, least, sigmask));
}

API int io_uring_submit_and_wait_timeout(void *ring, void **cqe, unsigned wait, void *ts, void *sigmask)
{
	return GO(uringgo_submit_and_wait(ring, cqe, wait, ts, 0, sigmask));
}

API int io_uring_submit_and_wait_min_timeout(void *ring, void **cqe, unsigned wait, void *ts, unsigned least, void *sigmask)
{
	if (GO(uringgo_lacks_min_timeout(ring)))
		return -EINVAL;
	return GO(uringgo_submit_and_wait(ring, cqe, wait, ts, least, sigmask));
}

API int io_uring_submit_and_wait_reg(void *ring, void **cqe, unsigned wait, int index)
{
	return GO(uringgo_submit_and_wait_reg(ring, cqe, wait, index));
}

API int io_uring_set_iowait(void *ring, bool on) { return GO(uringgo_set_iowait(ring, on)); }

// ---- registration ----

// Numbers of the kernel's.
enum {
	REGISTER_BUFFERS = 0,
	UNREGISTER_BUFFERS = 1,
	REGISTER_FILES = 2,
	UNREGISTER_FILES = 3,
	REGISTER_EVENTFD = 4,
	UNREGISTER_EVENTFD = 5,
	REGISTER_EVENTFD_ASYNC = 7,
	REGISTER_PROBE = 8,
	REGISTER_PERSONALITY = 9,
	UNREGISTER_PERSONALITY = 10,
	REGISTER_RESTRICTIONS = 11,
	REGISTER_ENABLE_RINGS = 12,
	REGISTER_FILES2 = 13,
	REGISTER_FILES_UPDATE2 = 14,
	REGISTER_BUFFERS2 = 15,
	REGISTER_BUFFERS_UPDATE = 16,
	REGISTER_IOWQ_AFF = 17,
	UNREGISTER_IOWQ_AFF = 18,
	REGISTER_IOWQ_MAX_WORKERS = 19,
	REGISTER_PBUF_RING = 22,
	REGISTER_SYNC_CANCEL = 24,
	REGISTER_NAPI = 27,
	UNREGISTER_NAPI = 28,
	REGISTER_CLOCK = 29,
	REGISTER_SEND_MSG_RING = 31,
	REGISTER_ZCRX_IFQ = 32,
	REGISTER_MEM_REGION = 34,
	REGISTER_QUERY = 35,
	REGISTER_ZCRX_CTRL = 36,
	REGISTER_BPF_FILTER = 37,

	REGISTER_SPARSE = 1,
	SRC_REGISTERED = 1,
};

static int reg(void *ring, unsigned op, const void *arg, unsigned n)
{
	return GO(uringgo_register(ring, op, (void *)arg, n));
}

static int table(void *ring, unsigned op, const void *data, const void *tags, unsigned n, unsigned flags)
{
	return GO(uringgo_register_table(ring, op, (void *)data, (void *)tags, n, flags));
}

static int update(void *ring, unsigned op, unsigned off, const void *data, const void *tags, unsigned n)
{
	return GO(uringgo_update_table(ring, op, off, (void *)data, (void *)tags, n));
}

API int io_uring_register_buffers(void *ring, const void *iov, unsigned n) { return reg(ring, REGISTER_BUFFERS, iov, n); }
API int io_uring_unregister_buffers(void *ring) { return reg(ring, UNREGISTER_BUFFERS, NULL, 0); }
API int io_uring_register_files(void *ring, const int *files, unsigned n) { return reg(ring, REGISTER_FILES, files, n); }
API int io_uring_unregister_files(void *ring) { return reg(ring, UNREGISTER_FILES, NULL, 0); }
API int io_uring_register_probe(void *ring, void *probe, unsigned n) { return reg(ring, REGISTER_PROBE, probe, n); }
API int io_uring_register_personality(void *ring) { return reg(ring, REGISTER_PERSONALITY, NULL, 0); }
API int io_uring_unregister_personality(void *ring, int id) { return reg(ring, UNREGISTER_PERSONALITY, NULL, id); }
API int io_uring_register_restrictions(void *ring, void *res, unsigned n) { return reg(ring, REGISTER_RESTRICTIONS, res, n); }
API int io_uring_enable_rings(void *ring) { return reg(ring, REGISTER_ENABLE_RINGS, NULL, 0); }
API int io_uring_unregister_iowq_aff(void *ring) { return reg(ring, UNREGISTER_IOWQ_AFF, NULL, 0); }
API int io_uring_register_iowq_max_workers(void *ring, unsigned *values) { return reg(ring, REGISTER_IOWQ_MAX_WORKERS, values, 2); }
API int io_uring_register_sync_cancel(void *ring, void *arg) { return reg(ring, REGISTER_SYNC_CANCEL, arg, 1); }
API int io_uring_register_napi(void *ring, void *napi) { return reg(ring, REGISTER_NAPI, napi, 1); }
API int io_uring_unregister_napi(void *ring, void *napi) { return reg(ring, UNREGISTER_NAPI, napi, 1); }
API int io_uring_register_clock(void *ring, void *arg) { return reg(ring, REGISTER_CLOCK, arg, 0); }
API int io_uring_register_ifq(void *ring, void *arg) { return reg(ring, REGISTER_ZCRX_IFQ, arg, 1); }
API int io_uring_register_zcrx_ctrl(void *ring, void *arg) { return reg(ring, REGISTER_ZCRX_CTRL, arg, 0); }
API int io_uring_register_region(void *ring, void *arg) { return reg(ring, REGISTER_MEM_REGION, arg, 1); }
API int io_uring_register_bpf_filter(void *ring, void *arg) { return reg(ring, REGISTER_BPF_FILTER, arg, 1); }

API int io_uring_register_iowq_aff(void *ring, size_t size, const void *mask)
{
	if (size > INT32_MAX)
		return -EINVAL;
	return reg(ring, REGISTER_IOWQ_AFF, mask, size);
}

API int io_uring_register_eventfd(void *ring, int fd) { return GO(uringgo_register_fd(ring, REGISTER_EVENTFD, fd)); }
API int io_uring_register_eventfd_async(void *ring, int fd) { return GO(uringgo_register_fd(ring, REGISTER_EVENTFD_ASYNC, fd)); }
API int io_uring_unregister_eventfd(void *ring) { return reg(ring, UNREGISTER_EVENTFD, NULL, 0); }

API int io_uring_register_buffers_tags(void *ring, const void *iov, const void *tags, unsigned n)
{
	return table(ring, REGISTER_BUFFERS2, iov, tags, n, 0);
}

API int io_uring_register_buffers_sparse(void *ring, unsigned n)
{
	return table(ring, REGISTER_BUFFERS2, NULL, NULL, n, REGISTER_SPARSE);
}

API int io_uring_register_files_tags(void *ring, const int *files, const void *tags, unsigned n)
{
	return table(ring, REGISTER_FILES2, files, tags, n, 0);
}

API int io_uring_register_files_sparse(void *ring, unsigned n)
{
	return table(ring, REGISTER_FILES2, NULL, NULL, n, REGISTER_SPARSE);
}

API int io_uring_register_buffers_update_tag(void *ring, unsigned off, const void *iov, const void *tags, unsigned n)
{
	return update(ring, REGISTER_BUFFERS_UPDATE, off, iov, tags, n);
}

API int io_uring_register_files_update_tag(void *ring, unsigned off, const int *files, const void *tags, unsigned n)
{
	return update(ring, REGISTER_FILES_UPDATE2, off, files, tags, n);
}

API int io_uring_register_files_update(void *ring, unsigned off, const int *files, unsigned n)
{
	return GO(uringgo_update_files(ring, off, (void *)files, n));
}

API int io_uring_register_file_alloc_range(void *ring, unsigned off, unsigned n) { return GO(uringgo_file_alloc_range(ring, off, n)); }
API int io_uring_register_ring_fd(void *ring) { return GO(uringgo_register_ring_fd(ring)); }
API int io_uring_unregister_ring_fd(void *ring) { return GO(uringgo_unregister_ring_fd(ring)); }
API int io_uring_close_ring_fd(void *ring) { return GO(uringgo_close_ring_fd(ring)); }

// Registered waits go through io_uring_register_region.
API int io_uring_register_wait_reg(void *ring, void *arg, int n)
{
	(void)ring, (void)arg, (void)n;
	return -EINVAL;
}

API int __io_uring_clone_buffers_offset(void *to, void *from, unsigned to_off, unsigned from_off, unsigned n, unsigned flags)
{
	return GO(uringgo_clone_buffers(to, from, to_off, from_off, n, flags));
}

API int __io_uring_clone_buffers(void *to, void *from, unsigned flags)
{
	return __io_uring_clone_buffers_offset(to, from, 0, 0, 0, flags);
}

API int io_uring_clone_buffers_offset(void *to, void *from, unsigned to_off, unsigned from_off, unsigned n, unsigned flags)
{
	return __io_uring_clone_buffers_offset(to, from, to_off, from_off, n, flags | SRC_REGISTERED);
}

API int io_uring_clone_buffers(void *to, void *from) { return __io_uring_clone_buffers(to, from, SRC_REGISTERED); }

// Without a ring.
API int io_uring_register_sync_msg(void *sqe) { return GO(uringgo_register_ringless(REGISTER_SEND_MSG_RING, sqe, 1)); }
API int io_uring_register_bpf_filter_task(void *arg) { return GO(uringgo_register_ringless(REGISTER_BPF_FILTER, arg, 1)); }
API int io_uring_register_query(void *query) { return GO(uringgo_register_ringless(REGISTER_QUERY, query, 0)); }

// ---- rings of provided buffers ----

// struct io_uring_buf_reg
struct buf_reg {
	uint64_t addr;
	uint32_t entries;
	uint16_t group, flags;
};

API int io_uring_register_buf_ring(void *ring, void *arg, unsigned flags)
{
	((struct buf_reg *)arg)->flags |= flags;
	return reg(ring, REGISTER_PBUF_RING, arg, 1);
}

API int io_uring_unregister_buf_ring(void *ring, int group) { return GO(uringgo_unregister_buf_ring(ring, group)); }
API int io_uring_buf_ring_head(void *ring, int group, uint16_t *head) { return GO(uringgo_buf_ring_head(ring, group, head)); }

API void *io_uring_setup_buf_ring(void *ring, unsigned n, int group, unsigned flags, int *ret)
{
	return GO(uringgo_setup_buf_ring(ring, n, group, flags, ret));
}

API int io_uring_free_buf_ring(void *ring, void *mem, unsigned n, int group)
{
	return GO(uringgo_free_buf_ring(ring, mem, n, group));
}

// ---- the system calls ----

API int io_uring_setup(unsigned entries, void *p) { return GO(uringgo_sys_setup(entries, p)); }

API int io_uring_enter2(unsigned fd, unsigned submit, unsigned wait, unsigned flags, void *arg, size_t size)
{
	return GO(uringgo_sys_enter(fd, submit, wait, flags, arg, size));
}

API int io_uring_enter(unsigned fd, unsigned submit, unsigned wait, unsigned flags, void *sigmask)
{
	return io_uring_enter2(fd, submit, wait, flags, sigmask, 8);
}

API int io_uring_register(unsigned fd, unsigned op, const void *arg, unsigned n)
{
	return GO(uringgo_sys_register(fd, op, (void *)arg, n));
}
