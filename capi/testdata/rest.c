// The functions that the other programs leave out, as far as the header has them.
#include "check.h"

static void probe(void)
{
	struct io_uring_probe *p = io_uring_get_probe();
	CHECK(p);
	printf("probe: last %d, read %d, unknown %d\n", p->last_op, io_uring_opcode_supported(p, IORING_OP_READ), io_uring_opcode_supported(p, 250));
	io_uring_free_probe(p);
}

static void buffers(struct io_uring *ring)
{
	enum { count = 8, size = 64 };
	static char pool[count][size];
	struct io_uring_buf_ring *br;
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = 3 };
	int sv[2];

	CHECK(posix_memalign((void **)&br, 4096, 4096) == 0);
	memset(br, 0, 4096);
	reg.ring_addr = (unsigned long)br;
	if (show("buffer ring", io_uring_register_buf_ring(ring, &reg, 0)) < 0)
		return;
	show("buffer ring again", io_uring_register_buf_ring(ring, &reg, 0));
	io_uring_buf_ring_init(br);
	for (int i = 0; i < count; i++)
		io_uring_buf_ring_add(br, pool[i], size, i, io_uring_buf_ring_mask(count), i);
	io_uring_buf_ring_advance(br, count);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0);
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	io_uring_prep_recv_multishot(sqe, sv[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 3;
	sqe->user_data = 5;
	show("submit", io_uring_submit(ring));
	for (int i = 0; i < 3; i++) {
		CHECK(write(sv[1], "message", 7 - i) == 7 - i);
		struct io_uring_cqe *cqe;
		CHECK(io_uring_wait_cqe(ring, &cqe) == 0);
		printf("received %d, flags %#x: %.*s\n", cqe->res, cqe->flags, cqe->res, pool[cqe->flags >> IORING_CQE_BUFFER_SHIFT]);
		io_uring_cqe_seen(ring, cqe);
	}
	close(sv[1]);
	struct io_uring_cqe *cqe;
	CHECK(io_uring_wait_cqe(ring, &cqe) == 0);
	reap(ring);
	close(sv[0]);
	show("no buffer ring", io_uring_unregister_buf_ring(ring, 3));
	show("no buffer ring again", io_uring_unregister_buf_ring(ring, 3));
	free(br);
}

static void overflow(void)
{
	struct io_uring ring;
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 4 };
	struct io_uring_cqe *cqes[16];

	CHECK(io_uring_queue_init_params(4, &ring, &p) == 0);
	printf("sizes %u %u\n", p.sq_entries, p.cq_entries);
	for (int i = 0; i < 3; i++) {
		nops(&ring, 4);
		CHECK(!io_uring_get_sqe(&ring));
		show("submit", io_uring_submit(&ring));
	}
	for (int i = 0; i < 4; i++) {
		unsigned n = io_uring_peek_batch_cqe(&ring, cqes, 16);
		printf("batch of %u\n", n);
		reap(&ring);
	}
	io_uring_queue_exit(&ring);
}

static void shared_by_fd(void)
{
	struct io_uring first, second;
	struct io_uring_params p = { 0 };

	CHECK(io_uring_queue_init_params(8, &first, &p) == 0);
	show("map", io_uring_queue_mmap(first.ring_fd, &p, &second));
	nops(&first, 2);
	show("submit", io_uring_submit(&first));
	reap(&second);
	printf("left %u\n", io_uring_cq_ready(&first));
	second.ring_fd = second.enter_ring_fd = dup(first.ring_fd);
	io_uring_queue_exit(&second);
	show("map nothing", io_uring_queue_mmap(-1, &p, &second));
	show("don't fork", io_uring_ring_dontfork(&first));
	pid_t child = fork();
	if (child == 0)
		_exit(io_uring_cq_ready(&first)); // touches the ring's memory
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	printf("the child ended with signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	io_uring_queue_exit(&first);
}

int main(void)
{
	struct io_uring ring;
	unsigned workers[2] = { 0, 0 };
	cpu_set_t cpus;

	probe();
	CHECK(io_uring_queue_init(8, &ring, 0) == 0);
	buffers(&ring);
	show("workers", io_uring_register_iowq_max_workers(&ring, workers));
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	show("affinity", io_uring_register_iowq_aff(&ring, sizeof cpus, &cpus));
	show("no affinity", io_uring_unregister_iowq_aff(&ring));
	int id = io_uring_register_personality(&ring);
	CHECK(id > 0);
	show("no personality", io_uring_unregister_personality(&ring, id));
	show("no personality again", io_uring_unregister_personality(&ring, id));
	struct io_uring_sync_cancel_reg cancel = { .addr = 99, .fd = -1, .timeout = { -1, -1 } };
	show("cancel", io_uring_register_sync_cancel(&ring, &cancel));
	printf("memory %zd %zd\n", io_uring_mlock_size(64, 0), io_uring_mlock_size(64, IORING_SETUP_SQE128));
	show("enter", io_uring_enter(ring.ring_fd, 0, 0, 0, NULL));
	show("enter nowhere", io_uring_enter(-1, 0, 0, 0, NULL));
	show("register nowhere", io_uring_register(-1, IORING_UNREGISTER_FILES, NULL, 0));
	show("setup badly", io_uring_setup(0, NULL));
	io_uring_queue_exit(&ring);
	overflow();
	shared_by_fd();
	return 0;
}
