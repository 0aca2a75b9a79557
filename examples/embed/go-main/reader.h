// A library in C that reads the beginnings of files through a ring which is not its
// own: it queues, somebody else submits and reaps.

#ifndef READER_H
#define READER_H

#include <stdint.h>

struct io_uring;

// The upper half of user_data of every entry that the library queues.
#define READER_MARK 0x52454144ULL /* READ */

struct reader;

// Opens files and makes room for the first size bytes of each; NULL, with errno, if
// that cannot be done.
struct reader *reader_new(char *const *paths, unsigned n, unsigned size);

// Queues reads, as many as the ring has room for; returns how many.
unsigned reader_queue(struct reader *r, struct io_uring *ring);

// Takes a completion with the library's mark; 0, or -errno if it is not its own.
int reader_completed(struct reader *r, uint64_t user_data, int res);

// What was read of file i: its length, or -errno.
int reader_result(const struct reader *r, unsigned i, const char **data);

void reader_free(struct reader *r);

#endif
