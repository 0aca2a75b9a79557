// What the Go files of this package and its C files have in common.

#ifndef CREF_H
#define CREF_H

#include <stddef.h>
#include <stdint.h>

int cref_liburing_major(void);
int cref_liburing_minor(void);

// The prep functions that this build has: their number, the name of the i-th, and
// a call of it on n scratch entries, sqe_size bytes apart, with args_per_call
// integers each.
int cref_prep_count(void);
const char *cref_prep_name(int i);
void cref_prep(int i, int initialize, void *sqes, size_t sqe_size, const uint64_t *args, size_t args_per_call, size_t n);

// What liburing's io_uring_recvmsg_ functions say about a buffer. Offsets are from
// its beginning.
struct cref_recvmsg {
	int valid;
	uint32_t name, payload, payload_len;
	int messages;          // control messages found, at most CREF_MESSAGES
	uint32_t message[32];  // where they begin
};

enum { CREF_MESSAGES = 32 };

void cref_recvmsg(void *buf, int len, uint32_t namelen, uint64_t controllen, struct cref_recvmsg *out);

#endif
