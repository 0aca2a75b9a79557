//go:build linux && cgo && !uringgo

// liburing's view of a buffer that a multishot recvmsg filled.

#include <string.h>
#include "liburing_version.h"
#include "cref.h"

void cref_recvmsg(void *buf, int len, uint32_t namelen, uint64_t controllen, struct cref_recvmsg *out)
{
	struct msghdr msg = { .msg_namelen = namelen, .msg_controllen = controllen };
	struct io_uring_recvmsg_out *o;
	struct cmsghdr *c;
	char *end;

	memset(out, 0, sizeof *out);
	o = io_uring_recvmsg_validate(buf, len, &msg);
	if (!o)
		return;
	out->valid = 1;
	out->name = (char *)io_uring_recvmsg_name(o) - (char *)buf;
	out->payload = (char *)io_uring_recvmsg_payload(o, &msg) - (char *)buf;
	out->payload_len = io_uring_recvmsg_payload_length(o, len, &msg);

	// The kernel never reports more than the space it was given; liburing
	// relies on that and would read behind the buffer.
	if (o->controllen > controllen)
		return;
	end = (char *)io_uring_recvmsg_name(o) + namelen + o->controllen;
	c = io_uring_recvmsg_cmsg_firsthdr(o, &msg);
	while (c && out->messages < CREF_MESSAGES) {
		out->message[out->messages++] = (char *)c - (char *)buf;
		// Nor does it guard the step over a length that leads out of the buffer.
		if (c->cmsg_len > (size_t)(end - (char *)c))
			break;
		c = io_uring_recvmsg_cmsg_nexthdr(o, &msg, c);
	}
}
