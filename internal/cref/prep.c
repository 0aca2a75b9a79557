//go:build linux && cgo && !uringgo

// Calls of liburing's prep functions by number, many with one crossing from Go.

#include "liburing_version.h"
#include "cref.h"

#define P(i) ((void *)(uintptr_t)a[i])

// One function for each of them …
#define CALL(name, call) static void call_##name(struct io_uring_sqe *s, const uint64_t *a) { (void)a; call; }
#include "prep_list.h"
#undef CALL

// … and a table of them.
static const struct {
	const char *name;
	void (*call)(struct io_uring_sqe *, const uint64_t *);
} preps[] = {
#define CALL(name, call) { #name, call_##name },
#include "prep_list.h"
#undef CALL
};

int cref_liburing_major(void) { return IO_URING_VERSION_MAJOR; }
int cref_liburing_minor(void) { return IO_URING_VERSION_MINOR; }

int cref_prep_count(void) { return sizeof preps / sizeof preps[0]; }

const char *cref_prep_name(int i) { return preps[i].name; }

void cref_prep(int i, int initialize, void *sqes, size_t sqe_size, const uint64_t *args, size_t args_per_call, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		struct io_uring_sqe *sqe = (struct io_uring_sqe *)((char *)sqes + k * sqe_size);

#if LIBURING_AT_LEAST(2, 6)
		if (initialize)
			io_uring_initialize_sqe(sqe);
#else
		(void)initialize;
#endif
		preps[i].call(sqe, args + k * args_per_call);
	}
}
