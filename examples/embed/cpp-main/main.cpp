// A C++ program with a Go part, both at work on one ring at the same time. A
// dispatcher keeps their completions apart: each file is read by one thread in
// C++, which adds up its bytes, and by one that calls Go for its SHA-256.
//
//	cpp-main FILE...
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "uring_dispatch.h" // from the directory of package liburing

#include "readgo.h" // made by go build -buildmode=c-archive

namespace {

long long check(const char *what, long long ret)
{
	if (ret < 0)
		throw std::runtime_error(std::string(what) + ": " + std::strerror(static_cast<int>(-ret)));
	return ret;
}

class Ring {
public:
	Ring()
	{
		check("io_uring_queue_init", io_uring_queue_init(64, &ring_, 0));
		io_uring_ring_dontfork(&ring_);
		check("uring_dispatch_init", uring_dispatch_init(dispatch_.get(), &ring_, 8));
		check("readgo_dispatch", readgo_dispatch(dispatch_.get(), &go_));
	}
	// In this order: Go lets go, then the dispatcher, then the ring.
	~Ring()
	{
		readgo_dispatch_end(go_);
		uring_dispatch_exit(dispatch_.get());
		io_uring_queue_exit(&ring_);
	}
	Ring(const Ring &) = delete;
	Ring &operator=(const Ring &) = delete;

	uring_dispatch *dispatch() { return dispatch_.get(); }
	uintptr_t go() const { return go_; }

private:
	io_uring ring_{};
	std::unique_ptr<uring_dispatch> dispatch_ = std::make_unique<uring_dispatch>();
	uintptr_t go_ = 0;
};

// The sum of a file's bytes, read by C++.
unsigned long long add_up(uring_dispatch *d, const char *path)
{
	uint64_t tag = 0;
	check("uring_dispatch_reserve", uring_dispatch_reserve(d, &tag));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	check(path, fd < 0 ? -errno : 0);
	std::vector<unsigned char> buf(16384);
	unsigned long long sum = 0, at = 0;
	for (;;) {
		uring_dispatch_lock(d);
		io_uring_sqe *sqe = io_uring_get_sqe(d->ring);
		if (sqe) {
			io_uring_prep_read(sqe, fd, buf.data(), static_cast<unsigned>(buf.size()), at);
			sqe->user_data = tag;
		}
		int ret = io_uring_submit(d->ring);
		uring_dispatch_unlock(d);
		if (!sqe)
			continue;
		check("io_uring_submit", ret);
		io_uring_cqe cqe;
		check("uring_dispatch_wait", uring_dispatch_wait(d, tag, &cqe, 1));
		check(path, cqe.res);
		if (cqe.res == 0)
			break;
		for (int i = 0; i < cqe.res; i++)
			sum += buf[static_cast<size_t>(i)];
		at += static_cast<unsigned long long>(cqe.res);
	}
	close(fd);
	uring_dispatch_give_back(d, tag);
	return sum;
}

struct Result {
	unsigned long long sum = 0;
	long long size = 0;
	unsigned char sha[32] = {};
	std::string error;
};

} // namespace

int main(int argc, char **argv)
try {
	Ring ring;
	std::vector<Result> results(static_cast<size_t>(argc));
	std::vector<std::thread> threads;
	for (int i = 1; i < argc; i++) {
		Result &r = results[static_cast<size_t>(i)];
		threads.emplace_back([&ring, &r, path = argv[i]] {
			try {
				r.sum = add_up(ring.dispatch(), path);
			} catch (const std::exception &e) {
				r.error = e.what();
			}
		});
		threads.emplace_back([&ring, &r, path = argv[i]] { r.size = readgo_dispatch_sum(ring.go(), path, r.sha); });
	}
	for (auto &t : threads)
		t.join();
	int bad = 0;
	for (int i = 1; i < argc; i++) {
		const Result &r = results[static_cast<size_t>(i)];
		if (!r.error.empty() || r.size < 0) {
			std::fprintf(stderr, "cpp-main: %s: %s%lld\n", argv[i], r.error.c_str(), r.size);
			bad = 1;
			continue;
		}
		for (unsigned char b : r.sha)
			std::printf("%02x", b);
		std::printf("  %lld %llu %s\n", r.size, r.sum, argv[i]);
	}
	return bad;
} catch (const std::exception &e) {
	std::fprintf(stderr, "cpp-main: %s\n", e.what());
	return 1;
}
