// Files: linked writes and reads, registered buffers and files, tags, sparse
// tables, batches, verified byte by byte.
#include "check.h"

enum { block = 4096, blocks = 32 };

static char source[blocks][block], target[blocks][block];

static void verify(const char *what)
{
	CHECK(memcmp(source, target, sizeof source) == 0);
	printf("%s: %d blocks are the same\n", what, blocks);
	memset(target, 0, sizeof target);
}

static void drain(struct io_uring *ring, int n)
{
	struct io_uring_cqe *cqes[8];
	unsigned long long sum = 0;

	while (n > 0) {
		struct io_uring_cqe *cqe;
		CHECK(io_uring_wait_cqe(ring, &cqe) == 0);
		unsigned got = io_uring_peek_batch_cqe(ring, cqes, 8);
		CHECK(got > 0 && got <= 8);
		for (unsigned i = 0; i < got; i++) {
			CHECK(cqes[i]->res == block);
			sum += cqes[i]->user_data;
		}
		io_uring_cq_advance(ring, got);
		n -= got;
	}
	printf("  sum of user data %llu, left %u\n", sum, io_uring_cq_ready(ring));
}

int main(void)
{
	struct io_uring ring;
	char name[] = "capiXXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && unlink(name) == 0);
	for (int i = 0; i < blocks; i++)
		for (int j = 0; j < block; j++)
			source[i][j] = i * 31 + j * 7;
	CHECK(show("init", io_uring_queue_init(64, &ring, 0)) == 0);

	for (int i = 0; i < blocks; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		io_uring_prep_write(sqe, fd, source[i], block, (__u64)i * block);
		sqe->flags |= IOSQE_IO_LINK;
		sqe->user_data = i;
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read(sqe, fd, target[i], block, (__u64)i * block);
		sqe->user_data = 100 + i;
	}
	show("submit", io_uring_submit(&ring));
	drain(&ring, 2 * blocks);
	verify("linked");

	struct iovec iov[2] = { { source, sizeof source }, { target, sizeof target } };
	int files[2] = { -1, fd };
	show("buffers", io_uring_register_buffers(&ring, iov, 2));
	show("buffers again", io_uring_register_buffers(&ring, iov, 2));
	show("files", io_uring_register_files(&ring, files, 2));
	for (int i = 0; i < blocks; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		io_uring_prep_write_fixed(sqe, 1, source[i], block, (__u64)i * block, 0);
		sqe->flags |= IOSQE_IO_LINK | IOSQE_FIXED_FILE;
		sqe->user_data = i;
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read_fixed(sqe, 1, target[i], block, (__u64)i * block, 1);
		sqe->flags |= IOSQE_FIXED_FILE;
		sqe->user_data = 100 + i;
	}
	show("submit and wait", io_uring_submit_and_wait(&ring, 2 * blocks));
	drain(&ring, 2 * blocks);
	verify("fixed");

	show("update", io_uring_register_files_update(&ring, 0, &fd, 1));
	show("update beyond", io_uring_register_files_update(&ring, 2, &fd, 1));
	show("no files", io_uring_unregister_files(&ring));
	show("no files again", io_uring_unregister_files(&ring));
	show("no buffers", io_uring_unregister_buffers(&ring));
	show("sparse", io_uring_register_files_sparse(&ring, 16));
	show("range", io_uring_register_file_alloc_range(&ring, 4, 8));
	show("range beyond", io_uring_register_file_alloc_range(&ring, 4, 80));
	show("no files", io_uring_unregister_files(&ring));
	__u64 tags[2] = { 77, 78 };
	show("tagged", io_uring_register_buffers_tags(&ring, iov, tags, 2));
	show("tag update", io_uring_register_buffers_update_tag(&ring, 0, iov, NULL, 1));
	struct io_uring_cqe *cqe;
	show("tag", io_uring_wait_cqe(&ring, &cqe));
	reap(&ring);
	show("no buffers", io_uring_unregister_buffers(&ring));
	reap(&ring); // the other tag
	io_uring_queue_exit(&ring);
	close(fd);
	return 0;
}
