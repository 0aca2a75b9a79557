// Functions that came to liburing after 2.3; they are compared where the header is
// that of 2.15.
#include "check.h"

#if defined(IO_URING_CHECK_VERSION)
#if !IO_URING_CHECK_VERSION(2, 15)
#define NEWEST
#endif
#endif

#ifndef NEWEST
int main(void)
{
	printf("the header is older than 2.15\n");
	return 0;
}
#else

static void sizes(void)
{
	printf("== sizes\n");
	static const unsigned flags[] = { 0, IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_NO_SQARRAY, IORING_SETUP_CLAMP };
	for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
		for (unsigned n = 0; n < 70000; n = n * 3 + 1)
			printf("%u entries, flags %#x: %zd\n", n, flags[i], io_uring_memory_size(n, flags[i]));
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE, .cq_entries = 1000 };
	printf("%zd %zd\n", io_uring_memory_size_params(64, &p), io_uring_mlock_size_params(64, &p));
	printf("version %d.%d, older %d %d %d\n", io_uring_major_version(), io_uring_minor_version(),
	       io_uring_check_version(2, 14), io_uring_check_version(2, 15), io_uring_check_version(2, 16));
}

static void own_memory(void)
{
	printf("== memory of the program's\n");
	size_t size = 2 << 20;
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	struct io_uring ring;
	struct io_uring_params p = { 0 };

	CHECK(mem != MAP_FAILED);
	show("too little", io_uring_queue_init_mem(64, &ring, &p, mem, 4096));
	memset(&p, 0, sizeof p);
	int used = show("init", io_uring_queue_init_mem(4, &ring, &p, mem, size));
	if (used >= 0) {
		CHECK((char *)ring.sq.sqes == mem);
		printf("internal flags %#x sizes %u %zu %zu\n", ring.int_flags, ring.sq.sqes_sz, ring.sq.ring_sz, ring.cq.ring_sz);
		nops(&ring, 3);
		show("submit", io_uring_submit_and_wait(&ring, 3));
		reap(&ring);
		show("don't fork", io_uring_ring_dontfork(&ring));
		io_uring_queue_exit(&ring);
		mem[0] = 1; // still the program's
	}
	munmap(mem, size);
	memset(&p, 0, sizeof p);
	p.flags = IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY;
	if (show("no descriptor", io_uring_queue_init_params(4, &ring, &p)) == 0) {
		printf("descriptor %d internal flags %#x sizes %u %zu %zu\n", ring.ring_fd, ring.int_flags, ring.sq.sqes_sz, ring.sq.ring_sz, ring.cq.ring_sz);
		nops(&ring, 2);
		show("submit", io_uring_submit_and_wait(&ring, 2));
		reap(&ring);
		io_uring_queue_exit(&ring);
	}
}

static void descriptors(void)
{
	printf("== descriptors\n");
	struct io_uring ring, other;
	char page[4096];
	struct iovec iov = { page, sizeof page };

	CHECK(io_uring_queue_init(4, &ring, 0) == 0 && io_uring_queue_init(4, &other, 0) == 0);
	show("close without index", io_uring_close_ring_fd(&ring));
	show("register", io_uring_register_ring_fd(&ring));
	show("no iowait", io_uring_set_iowait(&ring, false));
	printf("internal flags %#x\n", ring.int_flags);
	show("buffers", io_uring_register_buffers(&ring, &iov, 1));
	show("clone", io_uring_clone_buffers(&other, &ring));
	show("clone again", io_uring_clone_buffers(&other, &ring));
	show("clone a part", io_uring_clone_buffers_offset(&other, &ring, 1, 0, 1, 0));
	show("close", io_uring_close_ring_fd(&ring));
	show("close again", io_uring_close_ring_fd(&ring));
	nops(&ring, 2);
	show("submit", io_uring_submit_and_wait(&ring, 2));
	reap(&ring);
	show("buffers again", io_uring_register_buffers(&ring, &iov, 1));
	show("iowait", io_uring_set_iowait(&ring, true));
	printf("descriptor %d internal flags %#x\n", ring.ring_fd, ring.int_flags);
	io_uring_queue_exit(&ring);
	io_uring_queue_exit(&other);
}

static void resized(void)
{
	printf("== resized\n");
	struct io_uring ring;
	struct io_uring_params p = { .sq_entries = 32, .cq_entries = 128, .flags = IORING_SETUP_CQSIZE };

	CHECK(io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0);
	nops(&ring, 8);
	show("submit", io_uring_submit(&ring));
	show("resize", io_uring_resize_rings(&ring, &p));
	printf("%u %u flags %#x size %u\n", ring.sq.ring_entries, ring.cq.ring_entries, p.flags, ring.sq.sqes_sz);
	reap(&ring);
	nops(&ring, 30);
	show("submit", io_uring_submit_and_wait(&ring, 30));
	reap(&ring);
	p = (struct io_uring_params){ .sq_entries = 0 };
	show("to nothing", io_uring_resize_rings(&ring, &p));
	io_uring_queue_exit(&ring);
	CHECK(io_uring_queue_init(8, &ring, 0) == 0);
	p = (struct io_uring_params){ .sq_entries = 16 };
	show("another kind", io_uring_resize_rings(&ring, &p));
	nops(&ring, 1);
	show("submit", io_uring_submit_and_wait(&ring, 1));
	io_uring_queue_exit(&ring);
}

static void waits(void)
{
	printf("== waits\n");
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	struct __kernel_timespec some = { 0, 50000000 };

	CHECK(io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED) == 0);
	show("register too early", io_uring_register_wait_reg(&ring, NULL, 1));
	struct io_uring_reg_wait *waits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
	struct io_uring_region_desc desc = { .user_addr = (unsigned long)waits, .size = 4096, .flags = IORING_MEM_REGION_TYPE_USER };
	struct io_uring_mem_region_reg region = { .region_uptr = (unsigned long)&desc, .flags = IORING_MEM_REGION_REG_WAIT_ARG };
	show("region", io_uring_register_region(&ring, &region));
	waits[2].ts.tv_nsec = 20000000;
	waits[2].flags = IORING_REG_WAIT_TS;
	show("enable", io_uring_enable_rings(&ring));
	nops(&ring, 2);
	show("registered wait", io_uring_submit_and_wait_reg(&ring, &cqe, 2, 2));
	reap(&ring);
	show("registered timeout", io_uring_submit_and_wait_reg(&ring, &cqe, 1, 2));
	nops(&ring, 1);
	show("minimum", io_uring_submit_and_wait_min_timeout(&ring, &cqe, 4, &some, 1000, NULL));
	reap(&ring);
	show("minimum of nothing", io_uring_wait_cqes_min_timeout(&ring, &cqe, 1, &some, 1000, NULL));
	io_uring_queue_exit(&ring);
	munmap(waits, 4096);
}

static void mixed(unsigned flags)
{
	printf("== flags %#x\n", flags);
	struct io_uring ring;
	struct io_uring_cqe *cqes[16];

	if (show("init", io_uring_queue_init(4, &ring, flags)) < 0)
		return;
	for (int round = 0; round < 9; round++) {
		struct io_uring_sqe *sqe;
		nops(&ring, 1);
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_nop(sqe);
		sqe->user_data = 40 + round;
		if (flags & IORING_SETUP_CQE_MIXED)
			sqe->nop_flags = IORING_NOP_CQE32;
		show("submit", io_uring_submit(&ring));
		unsigned n;
		while ((n = io_uring_peek_batch_cqe(&ring, cqes, 16)) > 0) {
			for (unsigned i = 0; i < n; i++) {
				printf("  data %llu flags %#x\n", (unsigned long long)cqes[i]->user_data, cqes[i]->flags);
				io_uring_cqe_seen(&ring, cqes[i]);
			}
		}
		printf("  left %u head %u tail %u\n", io_uring_cq_ready(&ring), ring.sq.sqe_head, ring.sq.sqe_tail);
	}
	io_uring_queue_exit(&ring);
}

static void buffers(void)
{
	printf("== buffers\n");
	struct io_uring ring;
	uint16_t head = 77;
	int ret = 5;

	CHECK(io_uring_queue_init(4, &ring, 0) == 0);
	struct io_uring_buf_ring *br = io_uring_setup_buf_ring(&ring, 16, 4, 0, &ret);
	show("set up", ret);
	CHECK(br && br->tail == 0);
	show("head", io_uring_buf_ring_head(&ring, 4, &head));
	printf("head %u, available %d\n", head, io_uring_buf_ring_available(&ring, br, 4));
	show("head of nothing", io_uring_buf_ring_head(&ring, 9, &head));
	CHECK(!io_uring_setup_buf_ring(&ring, 15, 5, 0, &ret));
	show("15", ret);
	show("free", io_uring_free_buf_ring(&ring, br, 16, 4));
	show("free again", io_uring_free_buf_ring(&ring, br, 16, 4));
	struct io_uring_query_opcode opcodes = { 0 };
	struct io_uring_query_hdr query = { .query_data = (unsigned long)&opcodes, .query_op = IO_URING_QUERY_OPCODES, .size = sizeof opcodes };
	show("query", io_uring_register_query(&query));
	printf("operations %u features %#llx\n", opcodes.nr_request_opcodes, (unsigned long long)opcodes.feature_flags);
	struct io_uring_clock_register clock = { .clockid = CLOCK_BOOTTIME };
	show("clock", io_uring_register_clock(&ring, &clock));
	struct io_uring_napi napi = { 0 };
	show("napi", io_uring_unregister_napi(&ring, &napi));
	struct io_uring_sqe sqe = { .opcode = IORING_OP_MSG_RING, .fd = ring.ring_fd, .off = 99, .len = 7 };
	show("message", io_uring_register_sync_msg(&sqe));
	reap(&ring);
	struct io_uring_zcrx_ifq_reg ifq = { 0 };
	show("interface queue", io_uring_register_ifq(&ring, &ifq));
	io_uring_queue_exit(&ring);
}

int main(void)
{
	sizes();
	own_memory();
	descriptors();
	resized();
	waits();
	mixed(0);
	mixed(IORING_SETUP_CQE32);
	mixed(IORING_SETUP_CQE_MIXED);
	mixed(IORING_SETUP_SQ_REWIND | IORING_SETUP_NO_SQARRAY);
	buffers();
	return 0;
}
#endif
