/*
 * A C program with a Go part. It owns a ring and uses it by turns with Go: first C
 * reads the beginning of each file through it, then Go reads all of the file
 * through the same ring and returns its SHA-256.
 *
 *	c-main FILE...
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "readgo.h" /* made by go build -buildmode=c-archive */

static int fail(const char *what, long long err)
{
	fprintf(stderr, "c-main: %s: %s\n", what, strerror((int)-err));
	return 1;
}

/* C's turn: the first bytes of a file. */
static int first_byte(struct io_uring *ring, const char *path, unsigned char *first)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	*first = 0;
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_read(sqe, fd, first, 1, 0);
	sqe->user_data = 1;
	ret = io_uring_submit_and_wait(ring, 1);
	if (ret >= 0)
		ret = io_uring_wait_cqe(ring, &cqe);
	if (ret >= 0) {
		ret = cqe->user_data == 1 ? cqe->res : -EPROTO;
		io_uring_cqe_seen(ring, cqe);
	}
	close(fd);
	return ret;
}

int main(int argc, char **argv)
{
	struct io_uring ring;
	uintptr_t go;
	long long ret;
	int i, j, bad = 0;

	ret = io_uring_queue_init(8, &ring, 0);
	if (ret < 0)
		return fail("io_uring_queue_init", ret);
	/* Children of fork are not to touch the ring; Go would not survive there either. */
	io_uring_ring_dontfork(&ring);
	ret = readgo_attach(&ring, &go);
	if (ret < 0)
		return fail("readgo_attach", ret);
	for (i = 1; i < argc; i++) {
		unsigned char sum[32] = { 0 }, first;

		ret = first_byte(&ring, argv[i], &first);
		if (ret >= 0)
			ret = readgo_sum(go, argv[i], sum);
		if (ret < 0) {
			bad = fail(argv[i], ret);
			continue;
		}
		for (j = 0; j < 32; j++)
			printf("%02x", sum[j]);
		printf("  %lld %u %s\n", ret, first, argv[i]);
	}
	/* Go lets go of the ring, and C closes what is C's. */
	ret = readgo_detach(go);
	if (ret < 0)
		bad = fail("readgo_detach", ret);
	io_uring_queue_exit(&ring);
	return bad;
}
