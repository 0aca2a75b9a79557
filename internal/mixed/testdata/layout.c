/*
 * Stands in front of liburing (LD_PRELOAD) and answers as a library would whose
 * struct io_uring is laid out differently from the header's.
 */
#include <dlfcn.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
	int (*real)(unsigned, struct io_uring *, struct io_uring_params *) =
		(int (*)(unsigned, struct io_uring *, struct io_uring_params *))dlsym(RTLD_NEXT, "io_uring_queue_init_params");
	const char *how = getenv("URING_LAYOUT");
	unsigned char *end = (unsigned char *)(ring + 1), last = end[-1];
	int ret = real(entries, ring, p);

	setenv("URING_ASKED", "yes", 1);
	if (ret < 0 || !how)
		return ret;
	if (!strcmp(how, "larger"))
		end[3] = 0;
	else if (!strcmp(how, "smaller"))
		end[-1] = last;
	else if (!strcmp(how, "flags"))
		ring->flags ^= 1U << 30;
	else if (!strcmp(how, "features"))
		ring->features ^= 1U << 30;
	else if (!strcmp(how, "mask"))
		ring->sq.ring_mask = 0;
	else if (!strcmp(how, "entries"))
		ring->cq.ring_entries = 0;
	else if (!strcmp(how, "enter"))
		ring->enter_ring_fd = 0;
	return ret;
}
