// The fields of struct io_uring after every kind of call: inline functions, and
// programs, read them. An older liburing than 2.15 makes its rings with an index
// array and keeps fewer flags; with its header only the rest is shown.
#include "check.h"

#if defined(IO_URING_CHECK_VERSION)
#if !IO_URING_CHECK_VERSION(2, 15)
#define WHOLE
#endif
#endif

static void state(const char *when, struct io_uring *ring)
{
	char *sq = ring->sq.ring_ptr, *cq = ring->cq.ring_ptr;

#ifdef WHOLE
	printf("%s: flags %#x features %#x fd %s index %s int_flags %#x\n", when, ring->flags, ring->features,
	       ring->ring_fd < 0 ? "none" : "yes", ring->enter_ring_fd == ring->ring_fd ? "no" : "yes", ring->int_flags);
	printf("  sq %td %td %td %td %td %td array %s head %u tail %u size %zu mask %u entries %u sqes %s\n",
	       (char *)ring->sq.khead - sq, (char *)ring->sq.ktail - sq, (char *)ring->sq.kring_mask - sq,
	       (char *)ring->sq.kring_entries - sq, (char *)ring->sq.kflags - sq, (char *)ring->sq.kdropped - sq,
	       ring->sq.array ? "yes" : "no", ring->sq.sqe_head, ring->sq.sqe_tail, ring->sq.ring_sz,
	       *ring->sq.kring_mask, *ring->sq.kring_entries, ring->sq.sqes ? "yes" : "no");
	printf("  cq %td %td %td %td %td %td %td size %zu mask %u entries %u one mapping %d\n",
	       (char *)ring->cq.khead - cq, (char *)ring->cq.ktail - cq, (char *)ring->cq.kring_mask - cq,
	       (char *)ring->cq.kring_entries - cq, (char *)ring->cq.kflags - cq, (char *)ring->cq.koverflow - cq,
	       (char *)ring->cq.cqes - cq, ring->cq.ring_sz, *ring->cq.kring_mask, *ring->cq.kring_entries, sq == cq);
#else
	printf("%s: flags %#x features %#x fd %s index %s\n", when, ring->flags & ~0x10000, ring->features,
	       ring->ring_fd < 0 ? "none" : "yes", ring->enter_ring_fd == ring->ring_fd ? "no" : "yes");
	printf("  head %u tail %u mask %u entries %u\n", ring->sq.sqe_head, ring->sq.sqe_tail, *ring->sq.kring_mask, *ring->sq.kring_entries);
	printf("  mask %u entries %u one mapping %d\n", *ring->cq.kring_mask, *ring->cq.kring_entries, sq == cq);
#endif
	printf("  ready %u %u space %u\n", io_uring_sq_ready(ring), io_uring_cq_ready(ring), io_uring_sq_space_left(ring));
}

static void walk(unsigned entries, unsigned flags)
{
	struct io_uring ring;

	memset(&ring, 0xee, sizeof ring); // a C program's ring lies on its stack
	printf("== %u entries, flags %#x\n", entries, flags);
	if (show("init", io_uring_queue_init(entries, &ring, flags)) < 0)
		return;
	state("new", &ring);
	nops(&ring, 3);
	state("taken", &ring);
	show("submit", io_uring_submit(&ring));
	if (!(flags & IORING_SETUP_SQPOLL))
		state("submitted", &ring);
	struct io_uring_cqe *cqe;
	show("wait", io_uring_wait_cqe_nr(&ring, &cqe, 3));
	reap(&ring);
	show("register", io_uring_register_ring_fd(&ring));
#ifdef WHOLE
	show("register again", io_uring_register_ring_fd(&ring));
#endif
	state("registered", &ring);
	nops(&ring, 2);
	show("submit and wait", io_uring_submit_and_wait(&ring, 2));
	reap(&ring);
	show("unregister", io_uring_unregister_ring_fd(&ring));
#ifdef WHOLE
	show("unregister again", io_uring_unregister_ring_fd(&ring));
#endif
	state("unregistered", &ring);
	struct io_uring copy = ring; // a ring is where its struct is, and that may move
	memset(&ring, 0xee, sizeof ring);
	nops(&copy, 1);
	show("submit the copy", io_uring_submit_and_wait(&copy, 1));
	reap(&copy);
	io_uring_queue_exit(&copy);
}

int main(void)
{
	printf("sizes %zu %zu %zu\n", sizeof(struct io_uring_sq), sizeof(struct io_uring_cq), sizeof(struct io_uring));
	walk(8, 0);
	walk(5, IORING_SETUP_COOP_TASKRUN);
	walk(8, IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
	walk(8, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	walk(8, IORING_SETUP_SQPOLL);
	walk(0, 0);
	walk(1 << 20, 0);
	walk(1 << 20, IORING_SETUP_CLAMP);
	return 0;
}
