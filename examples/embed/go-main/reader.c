//go:build linux && cgo && !uringgo

#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
	unsigned n, size, queued;
	struct file {
		int fd, result;
		char *data;
	} file[];
};

struct reader *reader_new(char *const *paths, unsigned n, unsigned size)
{
	struct reader *r = calloc(1, sizeof(*r) + n * sizeof(r->file[0]));
	int err;

	if (!r)
		return NULL;
	r->size = size;
	for (; r->n < n; r->n++) {
		struct file *f = &r->file[r->n];

		f->fd = open(paths[r->n], O_RDONLY | O_CLOEXEC);
		if (f->fd < 0)
			goto fail;
		f->data = malloc(size);
		f->result = -EINPROGRESS;
		if (!f->data) {
			close(f->fd);
			errno = ENOMEM;
			goto fail;
		}
	}
	return r;
fail:
	err = errno;
	reader_free(r);
	errno = err;
	return NULL;
}

unsigned reader_queue(struct reader *r, struct io_uring *ring)
{
	unsigned before = r->queued;

	while (r->queued < r->n) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		struct file *f = &r->file[r->queued];

		if (!sqe)
			break;
		io_uring_prep_read(sqe, f->fd, f->data, r->size, 0);
		sqe->user_data = READER_MARK << 32 | r->queued++;
	}
	return r->queued - before;
}

int reader_completed(struct reader *r, uint64_t user_data, int res)
{
	uint32_t i = (uint32_t)user_data;

	if (user_data >> 32 != READER_MARK || i >= r->queued || r->file[i].result != -EINPROGRESS)
		return -EPROTO;
	r->file[i].result = res;
	return 0;
}

int reader_result(const struct reader *r, unsigned i, const char **data)
{
	*data = r->file[i].data;
	return r->file[i].result;
}

void reader_free(struct reader *r)
{
	unsigned i;

	for (i = 0; i < r->n; i++) {
		close(r->file[i].fd);
		free(r->file[i].data);
	}
	free(r);
}
