/*
 * The C side of package liburing: each function is one crossing from Go, and
 * does its work by calling the library. See liburing.go for how Go uses it.
 */
#ifndef URING_SHIM_H
#define URING_SHIM_H

#if !defined(__has_include)
#error "uring: this package needs a C compiler with __has_include (GCC 5, clang 3)"
#elif !__has_include(<liburing.h>)
#error "uring: <liburing.h> is missing. Install liburing 2.3 or newer (Debian, Ubuntu: apt install liburing-dev; Fedora: dnf install liburing-devel; Arch: pacman -S liburing; Alpine: apk add liburing-dev), or build without C: CGO_ENABLED=0 go build, or go build -tags uringgo"
#else

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if __has_include(<liburing/io_uring_version.h>)
#include <liburing/io_uring_version.h>
#endif
#ifndef IO_URING_VERSION_MAJOR /* before 2.4 */
#define IO_URING_VERSION_MAJOR 2
#define IO_URING_VERSION_MINOR 3
#endif
/* True if the header is that version or newer. */
#define URING_HEADER(major, minor)                                             \
	(IO_URING_VERSION_MAJOR > (major) ||                                   \
	 (IO_URING_VERSION_MAJOR == (major) &&                                 \
	  IO_URING_VERSION_MINOR >= (minor)))

/*
 * LATER(f) is the library's function f, for functions newer than liburing 2.3.
 * It is looked up at run time: a reference of the linker's, weak or not, would
 * make the loader refuse an older library before Go could say a word. New
 * refuses a library older than the header, so behind it nothing is missing that
 * the header has. A static library is the one that was linked.
 */
#ifdef URING_STATIC
#define LATER(f) (f)
#else
#include <dlfcn.h>
#define LATER(f)                                                               \
	({                                                                     \
		static __typeof__(&f) found;                                   \
		__typeof__(&f) p = __atomic_load_n(&found, __ATOMIC_RELAXED);  \
		if (!p) {                                                      \
			p = (__typeof__(&f))dlsym(RTLD_DEFAULT, #f);           \
			__atomic_store_n(&found, p, __ATOMIC_RELAXED);         \
		}                                                              \
		p;                                                             \
	})
#endif

/* What a call answers when it came from the wrong thread. */
#define URING_WRONG_THREAD INT32_MIN
/* What a call answers when this build's liburing is too old for it. */
#define URING_TOO_OLD (INT32_MIN + 1)
/* What uring_resize answers when the kernel resized and mapping failed. */
#define URING_LOST (INT32_MIN + 2)
/* What uring_open answers when struct io_uring has another size in the library. */
#define URING_LARGER (INT32_MIN + 3)
#define URING_SMALLER (INT32_MIN + 4)

/* How uring_submit and uring_wait go about it. */
enum {
	URING_GETEVENTS = 1, /* look for completions though none is waited for */
	URING_TIMED = 2,     /* ts bounds the wait */
	URING_MASKED = 4,    /* mask replaces the signal mask */
	URING_MINIMUM = 8,   /* after min_usec one completion suffices */
	URING_NO_IOWAIT = 16,
	URING_LOOK = 32,     /* note where completions are, without consuming them */
	URING_ABSOLUTE = 64, /* ts is a point in time */
	URING_REGISTERED = 128, /* the wait at index reg of the registered ones */
};

/* Completions of which a submission notes where they are. */
#define URING_FOUND 128

struct uring_ring {
	/* own, or the ring of whoever called Adopt. */
	struct io_uring *ring;

	/*
	 * The bytes behind it tell whether the library's struct io_uring is larger
	 * than the header's.
	 */
	struct io_uring own;
	unsigned char guard[64];

	/*
	 * Entries that Go filled in. The area has the queue's size, and its
	 * indices as long as nobody else fills the queue: then entry i of one is
	 * entry i of the other.
	 */
	struct io_uring_sqe *stage;

	/*
	 * What the last uring_submit came to: what the library returned, how
	 * many entries went from stage to the queue, and with URING_LOOK how
	 * many completions were ready, up to URING_FOUND, and where.
	 */
	int ret;
	unsigned moved;
	unsigned found;
	struct io_uring_cqe *cqes[URING_FOUND];

	/* Arguments of a timed or masked wait; one set a side. */
	struct uring_arg {
		struct __kernel_timespec ts;
		uint64_t mask[16]; /* a sigset_t's size; the kernel reads 8 bytes */
		unsigned min_usec;
		unsigned reg;
	} submit_arg, wait_arg;

	/* The thread that registered the descriptor. */
	bool bound;
	pthread_t owner;

	bool dontfork; /* a resized ring must have it again */
};

/*
 * Tells whether the ring's descriptor is registered with another thread than the
 * calling one. C may have registered it or undone that since Go looked: the bits
 * are the library's mark of it (1 in 2.3, 0x11 in later ones), and whoever calls
 * first afterwards is taken for the thread that registered.
 */
static inline bool uring_wrong_thread(struct uring_ring *h)
{
	if (h->ring->enter_ring_fd == h->ring->ring_fd &&
	    !(h->ring->int_flags & 0x11)) {
		h->bound = false;
		return false;
	}
	if (!h->bound) {
		h->bound = true;
		h->owner = pthread_self();
	}
	return !pthread_equal(h->owner, pthread_self());
}

struct uring_status {
	unsigned sq_ready, sq_space, cq_ready, dropped, overflowed;
	unsigned sq_flags, cq_flags;
};

int uring_library(int *major, int *minor);

int uring_open(struct uring_ring **out, unsigned entries,
	       struct io_uring_params *p, void *mem, size_t size);
int uring_adopt(struct uring_ring **out, struct io_uring *ring);
int uring_probe(struct io_uring *ring);
int uring_mapped(const void *at);
int uring_close(struct uring_ring *h);
int uring_dontfork(struct uring_ring *h);

/*
 * The hot path takes the ring as a number: Go checks every pointer that it
 * passes to C, which costs 10 ns a call. Submission itself is in submit.h.
 */
int uring_submit_with_arg(struct uring_ring *h, unsigned wait_nr, unsigned how);
int uring_wait(uintptr_t ring, unsigned wait_nr, unsigned how);
unsigned uring_peek(uintptr_t ring, struct io_uring_cqe *dst, unsigned n,
		    bool extra);
struct uring_status uring_status(uintptr_t ring);

int uring_register(struct uring_ring *h, unsigned op, uintptr_t arg, unsigned n);
int uring_register_ringless(unsigned op, uintptr_t arg, unsigned n);
int uring_enable_eventfd(struct uring_ring *h, bool on);
int uring_register_ring_fd(struct uring_ring *h);
int uring_unregister_ring_fd(struct uring_ring *h);
int uring_close_ring_fd(struct uring_ring *h);
int uring_resize(struct uring_ring *h, struct io_uring_params *p);

#endif /* __has_include(<liburing.h>) */
#endif
