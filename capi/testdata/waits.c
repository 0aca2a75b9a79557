// Waiting: timeouts, what a wait returns when it also submits, signals and their
// handlers, masks, eventfds, and the waits of kernels before 5.11.
#include "check.h"

static volatile sig_atomic_t alarms;

// A handler on whatever stack the thread is on, as most programs install it, that
// needs some of it.
static void on_alarm(int sig)
{
	volatile char room[48 << 10];

	(void)sig;
	for (unsigned i = 0; i < sizeof room; i += 64)
		room[i] = i;
	alarms++;
}

static void arm(int milliseconds)
{
	const struct itimerval t = { .it_value = { .tv_usec = milliseconds * 1000 } };
	setitimer(ITIMER_REAL, &t, NULL);
}

static void timeouts(struct io_uring *ring)
{
	struct __kernel_timespec none = { 0, 0 }, some = { 0, 20000000 }, bad = { 0, -5 }, old = { -1, 0 };
	struct io_uring_cqe *cqe = (void *)ring;

	show("peek", io_uring_peek_cqe(ring, &cqe));
	show("wait 20 ms", io_uring_wait_cqe_timeout(ring, &cqe, &some));
	CHECK(!cqe);
	show("wait 0", io_uring_wait_cqe_timeout(ring, &cqe, &none));
	show("wait below 0", io_uring_wait_cqe_timeout(ring, &cqe, &old));
	show("wait a bad time", io_uring_wait_cqe_timeout(ring, &cqe, &bad));
	show("wait for none", io_uring_wait_cqes(ring, &cqe, 0, &some, NULL));
	nops(ring, 2);
	show("submit and wait 2", io_uring_submit_and_wait_timeout(ring, &cqe, 2, &some, NULL));
	printf("cqe %d\n", cqe != NULL);
	show("again", io_uring_submit_and_wait_timeout(ring, &cqe, 2, &some, NULL));
	nops(ring, 1);
	show("submit with two there", io_uring_submit_and_wait_timeout(ring, &cqe, 1, &some, NULL));
	reap(ring);
	nops(ring, 2);
	show("submit and wait 5", io_uring_submit_and_wait_timeout(ring, &cqe, 5, &some, NULL));
	printf("cqe %d\n", cqe != NULL);
	reap(ring);
	show("wait with nothing", io_uring_submit_and_wait_timeout(ring, &cqe, 1, &some, NULL));
	nops(ring, 1);
	show("no timeout", io_uring_submit_and_wait_timeout(ring, &cqe, 1, NULL, NULL));
	reap(ring);
	show("nothing to submit", io_uring_submit(ring));
	show("events", io_uring_submit_and_get_events(ring));
	show("events only", io_uring_get_events(ring));
}

static void signals(struct io_uring *ring)
{
	struct __kernel_timespec long_time = { 5, 0 };
	struct io_uring_cqe *cqe;
	sigset_t mask;

	arm(30);
	show("interrupted", io_uring_wait_cqe(ring, &cqe));
	arm(30);
	show("interrupted", io_uring_wait_cqe_timeout(ring, &cqe, &long_time));
	arm(30);
	show("interrupted", io_uring_submit_and_wait(ring, 1));
	printf("alarms %d\n", (int)alarms);

	// Blocked outside, let in by the wait's mask.
	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	CHECK(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
	arm(10);
	struct timespec pause = { 0, 40000000 };
	nanosleep(&pause, NULL);
	printf("alarms %d\n", (int)alarms);
	sigemptyset(&mask);
	show("masked", io_uring_wait_cqes(ring, &cqe, 1, &long_time, &mask));
	printf("alarms %d\n", (int)alarms);
	sigset_t now;
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	printf("still blocked %d\n", sigismember(&now, SIGALRM));
	CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
}

// The library must leave the process's signals as they were.
static void dispositions(void)
{
	for (int sig = 1; sig < 32; sig++) {
		struct sigaction a;
		CHECK(sigaction(sig, NULL, &a) == 0);
		printf("signal %d: %s\n", sig, a.sa_handler == SIG_DFL ? "default" : a.sa_handler == SIG_IGN ? "ignored" : "handled");
	}
	pid_t child = fork();
	if (child == 0) {
		int ends[2];
		CHECK(pipe(ends) == 0);
		close(ends[0]);
		if (write(ends[1], "x", 1) < 0)
			_exit(1);
		_exit(2);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	printf("a broken pipe ends a child with signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

int main(void)
{
	struct io_uring ring;
	struct sigaction act = { .sa_handler = on_alarm };

	CHECK(sigaction(SIGALRM, &act, NULL) == 0);
	CHECK(io_uring_queue_init(8, &ring, 0) == 0);
	timeouts(&ring);
	signals(&ring);

	int event = eventfd(0, 0);
	show("eventfd", io_uring_register_eventfd(&ring, event));
	nops(&ring, 3);
	show("submit", io_uring_submit(&ring));
	eventfd_t count;
	CHECK(eventfd_read(event, &count) == 0);
	printf("count %d\n", count > 0);
	show("no eventfd", io_uring_unregister_eventfd(&ring));
	reap(&ring);

	printf("== as before Linux 5.11\n");
	ring.features &= ~IORING_FEAT_EXT_ARG;
	struct __kernel_timespec some = { 0, 20000000 };
	struct io_uring_cqe *cqe;
	show("wait 20 ms", io_uring_wait_cqe_timeout(&ring, &cqe, &some));
	nops(&ring, 2);
	show("wait for what it submits", io_uring_wait_cqes(&ring, &cqe, 2, &some, NULL));
	reap(&ring);
	ring.features |= IORING_FEAT_EXT_ARG;
	io_uring_queue_exit(&ring);
	dispositions();
	return 0;
}
