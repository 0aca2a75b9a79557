// The C half of programs that use one ring from both languages, for tests.

#ifndef MIXED_H
#define MIXED_H

#include <liburing.h>
#include <stdint.h>

// A ring as C makes it: p holds the flags and gets the kernel's answer.
int mixed_open(struct io_uring **ring, unsigned entries, struct io_uring_params *p);
// A second view of a ring, by io_uring_queue_mmap, with the index array filled in.
int mixed_map(struct io_uring **ring, int fd, struct io_uring_params *p);
// What io_uring_queue_mmap leaves to its caller before each turn.
void mixed_sync(struct io_uring *ring);
void mixed_exit(struct io_uring *ring);
void mixed_unmap(struct io_uring *ring);

// Entries that do nothing, numbered from first on; returns how many found room.
unsigned mixed_nops(struct io_uring *ring, uint64_t first, unsigned n);
int mixed_submit(struct io_uring *ring, unsigned wait);
// Reaps what is ready without waiting.
unsigned mixed_reap(struct io_uring *ring, uint64_t *data, unsigned n);


int mixed_register(struct io_uring *ring);
int mixed_unregister(struct io_uring *ring);

// A file's first n bytes through the ring, waiting.
int mixed_read(struct io_uring *ring, int fd, char *to, unsigned n, uint64_t data);

// What a forked child does with the ring before it exits with status 7.
enum {
	MIXED_NOTHING,    // nothing
	MIXED_TOUCH_SQE,  // writes to the entries
	MIXED_TOUCH_RING, // writes the head of the completion queue, unchanged
	MIXED_SUBMIT,     // submits what lies in the queue; exits with the number
	MIXED_ADD,        // the same after adding an entry with the number 99
	MIXED_CLOSE,      // closes the descriptor
	MIXED_OWN,        // makes a ring of its own and uses it
};
// Forks; returns the status of waitpid, or -errno.
int mixed_fork(struct io_uring *ring, int what);
// The same for mappings and a descriptor without a struct io_uring.
int mixed_fork_at(uintptr_t at);

// Threads of C's that pass n entries each through a dispatcher, with a tag each, up
// to window at a time, and check that they get theirs and nothing else. Start
// returns NULL without memory; join waits for them and returns 0, or what went wrong as -errno
// (EPROTO for a completion that was not theirs).
struct uring_dispatch;
struct mixed_crew *mixed_crew_start(struct uring_dispatch *d, unsigned threads, unsigned n, unsigned window);
int mixed_crew_join(struct mixed_crew *c);

// A dispatcher made in C, for a ring of C's.
struct uring_dispatch *mixed_dispatch(struct io_uring *ring, unsigned bits);
void mixed_dispatch_free(struct uring_dispatch *d);

#endif
