package main

// The faults, by the file that they are planted in.

// A fault is a change of one place of the sources.
type fault struct {
	name string // what goes wrong
	file string // slash separated, from the module's root
	old  string // what the file has there, exactly once
	new  string // what it has with the fault
	// scenarios are those that are expected to catch it, in the modes that mode
	// names; with mode "" all of theirs.
	scenarios []string
	mode      string
	// header is the oldest liburing with which the comparison reaches the place;
	// with an older one the backend in C answers that it is too old.
	header [2]int
}

const (
	shim     = "liburing/shim.c"
	submit   = "liburing/submit.h"
	registry = "liburing/register.c"
	goShim   = "liburing/liburing.go"
	cqFile   = "purego/cq_linux.go"
	sqFile   = "purego/sq_linux.go"
	ringFile = "purego/ring_linux.go"
	callFile = "purego/syscall_unsafe.go"
	regFile  = "purego/register_linux.go"
)

var faults = []fault{
	// The backend in C: submission.
	{
		name: "a link flag is cleared", file: submit, scenarios: []string{"link_fail"}, mode: "plain",
		old: "\treturn i;\n",
		new: "\tfor (unsigned k = 0; k < i; k++)\n\t\tring->sq.sqes[((first + k) & mask) << shift].flags &= ~IOSQE_IO_LINK;\n\treturn i;\n",
	},
	{
		name: "the second half of an entry is lost", file: submit, scenarios: []string{"wide_entries"}, mode: "sqe128",
		old: "end = to + (1 << shift);",
		new: "end = to + 1;",
	},
	{
		name: "entries are swapped at the wrap", file: submit, scenarios: []string{"wrap_around"}, mode: "plain",
		old: "unsigned at = (first + i) & mask;",
		new: "unsigned at = ((first + i) ^ (first + i > mask && staged > 1)) & mask;",
	},
	{
		name: "the last entry is not moved into the queue", file: submit, scenarios: []string{"nop_order"}, mode: "plain",
		old: "h->moved = uring_move(h, first, staged);\n\tif",
		new: "h->moved = uring_move(h, first, staged > 1 ? staged - 1 : staged);\n\tif",
	},
	{
		name: "a short count is made whole", file: shim, scenarios: []string{"submit_wait_refused"}, mode: "plain",
		old: "return taken ? (int)taken : ret;",
		new: "return taken ? (int)before : ret;",
	},
	{
		name: "a submission does not look for completions", file: submit, scenarios: []string{"defer_peek"}, mode: "defer",
		old: "h->ret = io_uring_submit_and_get_events(ring);",
		new: "h->ret = io_uring_submit(ring);",
	},
	{
		name: "a wait is for one completion more", file: submit, scenarios: []string{"cq_ready"}, mode: "plain",
		old: "h->ret = io_uring_submit_and_wait(ring, wait_nr);",
		new: "h->ret = io_uring_submit_and_wait(ring, wait_nr + 1);",
	},
	// Waiting.
	{
		name: "a timeout is ignored", file: shim, scenarios: []string{"empty"}, mode: "plain",
		old: "if (!(how & URING_TIMED)) {",
		new: "if (1) {",
	},
	{
		name: "a signal mask is not passed on", file: shim, scenarios: []string{"wait_unmasked"}, mode: "plain",
		old: "ret = io_uring_wait_cqes(ring, &cqe, wait_nr, bound(a, how),\n\t\t\t\t\t mask);",
		new: "ret = io_uring_wait_cqes(ring, &cqe, wait_nr, bound(a, how),\n\t\t\t\t\t NULL);",
	},
	// Completions that a submission finds.
	{
		name: "completions found are in the wrong order", file: submit, scenarios: []string{"batches", "cq_ready"}, mode: "plain",
		old: "\th->found = 0;\n\tif (ready)",
		new: "\th->found = 0;\n\tif (ready > 1) {\n\t\tstruct io_uring_cqe *two[2];\n\n\t\th->found = io_uring_peek_batch_cqe(h->ring, two, 2);\n\t\th->cqes[0] = two[1];\n\t\th->cqes[1] = two[0];\n\t} else if (ready)",
	},
	{
		name: "a completion found has another errno", file: submit, scenarios: []string{"submit_wait_refused"}, mode: "plain",
		old: "ready < URING_FOUND ? ready : URING_FOUND);",
		new: "ready < URING_FOUND ? ready : URING_FOUND);\n\tfor (unsigned k = 0; k < h->found; k++)\n\t\tif (h->cqes[k]->res < 0)\n\t\t\th->cqes[k]->res = -EIO;",
	},
	// Completions that are asked for.
	{
		name: "a completion is dropped", file: shim, scenarios: []string{"overflow_wait"}, mode: "plain",
		old: "io_uring_cq_advance(ring, slots);",
		new: "io_uring_cq_advance(ring, slots + (io_uring_cq_ready(ring) > slots));",
	},
	{
		name: "user_data is stale", file: shim, scenarios: []string{"nop_order"}, mode: "plain",
		old: "memcpy(to, c, 16);",
		new: "memcpy(to + 8, (const char *)c + 8, 8);",
	},
	{
		name: "the flags of a completion are lost", file: shim, scenarios: []string{"poll_multishot"}, mode: "plain",
		old: "memcpy(to, c, 16);",
		new: "memcpy(to, c, 12);",
	},
	{
		name: "the second half of a completion is lost", file: shim, scenarios: []string{"cqe32_results"}, mode: "plain",
		old: "bool wide = ring->flags & IORING_SETUP_CQE32;",
		new: "bool wide = false;",
	},
	{
		name: "an overflow is not flushed", file: shim, scenarios: []string{"overflow"}, mode: "plain",
		old: "want = n - got < 64 ? n - got : 64;",
		new: "want = n - got < 64 ? n - got : 64;\n\t\tif (!io_uring_cq_ready(ring))\n\t\t\tbreak;",
	},
	// Counters.
	{
		name: "the count of completions is an old one", file: shim, scenarios: []string{"cq_ready"}, mode: "plain",
		old: ".cq_ready = io_uring_cq_ready(ring),",
		new: ".cq_ready = h->found,",
	},
	{
		name: "an overflow is not told of", file: shim, scenarios: []string{"overflow"}, mode: "plain",
		old: "if (io_uring_cq_has_overflow(ring))",
		new: "if (0)",
	},
	// Registration.
	{
		name: "files are updated at the wrong slot", file: registry, scenarios: []string{"fixed_files"}, mode: "plain",
		old: "ring, up->offset, at(up->data), n);",
		new: "ring, 0, at(up->data), n);",
	},
	{
		name: "the tag of a buffer is lost", file: registry, scenarios: []string{"buffer_tags"}, mode: "plain",
		old: "at(up->data), at(up->tags),\n\t\t\t\t\t\t    up->nr);",
		new: "at(up->data), NULL,\n\t\t\t\t\t\t    up->nr);",
	},
	{
		name: "a cancel that found nothing succeeds", file: registry, scenarios: []string{"sync_cancel"}, mode: "plain",
		old: "return io_uring_register_sync_cancel(ring, arg);",
		new: "return io_uring_register_sync_cancel(ring, arg) > 0;",
	},
	{
		name: "an eventfd is told of too much", file: registry, scenarios: []string{"eventfd"}, mode: "plain",
		old: "io_uring_register_eventfd_async(ring,",
		new: "io_uring_register_eventfd(ring,",
	},

	// What is in Go of the backend in C.
	{
		name: "completions found are not consumed", file: goShim, scenarios: []string{"cq_ready"}, mode: "plain",
		old: "release.Store(r.chead, r.foundHead)",
		new: "_ = release.Store",
	},
	{
		name: "what was found is not discarded when the head has moved", file: goShim, scenarios: []string{"head_moved"}, mode: "plain",
		old: "have > 0 && head == r.foundHead {\n\t\tif n := min(uint32(len(dst)), tail-head); n <= have {\n\t\t\ttake(dst[:n], r.found[r.next:r.end])\n\t\t\tr.next += n\n\t\t\tr.foundHead += n\n\t\t\trelease.Store(r.chead, r.foundHead)\n\t\t\treturn int(n)\n\t\t}\n\t}\n\tr.next, r.end = 0, 0\n",
		new: "have > 0 {\n\t\tif n := min(uint32(len(dst)), tail-head); n <= have {\n\t\t\ttake(dst[:n], r.found[r.next:r.end])\n\t\t\tr.next += n\n\t\t\tr.foundHead = head + n\n\t\t\trelease.Store(r.chead, r.foundHead)\n\t\t\treturn int(n)\n\t\t}\n\t}\n",
	},
	{
		name: "a completion found is given twice", file: goShim, scenarios: []string{"cq_ready", "batches"}, mode: "plain",
		old: "\t\t\tr.next += n\n",
		new: "",
	},

	// The backend in Go: submission.
	{
		name: "an entry is not cleared", file: sqFile, scenarios: []string{"clean_entries"}, mode: "plain",
		old: "clear(w[known<<q.shift:])",
		new: "_ = w[known<<q.shift:]",
	},
	{
		name: "an entry of 128 bytes counts as two", file: sqFile, scenarios: []string{"wide_entries"}, mode: "sqe128",
		old: "q.local += uint32(n) >> q.shift",
		new: "q.local += uint32(n)",
	},
	{
		name: "the window goes on behind the queue's end", file: sqFile, scenarios: []string{"wrap_around"}, mode: "plain",
		old: "first := q.local & q.mask\n",
		new: "first := q.local & q.mask &^ (q.local >> 3 & 1)\n",
	},
	{
		name: "the tail is published too early", file: sqFile, scenarios: []string{"sq_full"}, mode: "sqpoll",
		old: "q.tail.Store(q.local)",
		new: "q.tail.Store(q.local + 1)",
	},
	{
		name: "a wake-up is not sent", file: ringFile, scenarios: []string{"wait_does_not_submit"}, mode: "sqpoll",
		old: "flags |= sys.IORING_ENTER_SQ_WAKEUP",
		new: "flags |= 0",
	},
	{
		name: "a short count is made whole", file: ringFile, scenarios: []string{"bad_op_often"}, mode: "plain",
		old: "r.pace.blocks = 0\n\t\t\t\treturn int(n), nil\n",
		new: "r.pace.blocks = 0\n\t\t\t\treturn int(max(uint32(n), uint32(pending))), nil\n",
	},
	{
		name: "a registered descriptor is not named as such", file: regFile, scenarios: []string{"nop_order"}, mode: "ringfd",
		old: "int(up.Offset), sys.IORING_ENTER_REGISTERED_RING, true",
		new: "int(up.Offset), 0, true",
	},
	// Waiting.
	{
		name: "a timeout is ignored", file: callFile, scenarios: []string{"empty"}, mode: "plain",
		old: "if w.Timeout > 0 {",
		new: "if w.Timeout < 0 {",
	},
	{
		name: "a signal mask is not passed on", file: callFile, scenarios: []string{"wait_unmasked"}, mode: "plain",
		old: "if w.Sigmask != nil {",
		new: "if false {",
	},
	// Completions.
	{
		name: "a completion is dropped", file: cqFile, scenarios: []string{"cq_ready"}, mode: "plain",
		old: "release.Store(q.head, head+n)",
		new: "release.Store(q.head, head+min(n+1, tail-head))",
	},
	{
		name: "two completions change places", file: cqFile, scenarios: []string{"nop_order"}, mode: "plain",
		old: "release.Store(q.head, head+n)",
		new: "if n > 1 {\n\t\tdst[0], dst[1] = dst[1], dst[0]\n\t}\n\trelease.Store(q.head, head+n)",
	},
	{
		name: "a completion loses a flag", file: cqFile, scenarios: []string{"poll_multishot"}, mode: "plain",
		old: "release.Store(q.head, head+n)",
		new: "dst[0].Flags &^= sys.IORING_CQE_F_MORE\n\trelease.Store(q.head, head+n)",
	},
	{
		name: "a batch goes on at the wrong slot behind the queue's end", file: cqFile, scenarios: []string{"wrap_around"}, mode: "plain",
		old: "copy(dst[done:n], q.cqes)",
		new: "copy(dst[done:n], q.cqes[1:])",
	},
	{
		name: "the second half of a completion is lost", file: cqFile, scenarios: []string{"cqe32_results"}, mode: "plain",
		old: "c.CQE, c.Extra = q.cqes[at*2], extra(&q.cqes[at*2+1])",
		new: "c.CQE = q.cqes[at*2]",
	},
	{
		name: "padding is taken for a completion", file: cqFile, scenarios: []string{"cqe_mixed", "cqe_mixed_many"}, mode: "plain", header: [2]int{2, 13},
		old: "if c.Flags&sys.IORING_CQE_F_SKIP != 0 {",
		new: "if false {",
	},
	{
		name: "an overflow is not flushed", file: ringFile, scenarios: []string{"overflow"}, mode: "plain",
		old: "return r.polls || r.sq.has(sys.IORING_SQ_CQ_OVERFLOW|sys.IORING_SQ_TASKRUN)",
		new: "return r.polls || r.sq.has(sys.IORING_SQ_TASKRUN)",
	},
	{
		name: "pending task work is not run", file: ringFile, scenarios: []string{"defer_peek"}, mode: "defer",
		old: "return r.polls || r.sq.has(sys.IORING_SQ_CQ_OVERFLOW|sys.IORING_SQ_TASKRUN)",
		new: "return r.polls || r.sq.has(sys.IORING_SQ_CQ_OVERFLOW)",
	},
	// Counters.
	{
		name: "the count of free entries is wrong", file: ringFile, scenarios: []string{"bad_op"}, mode: "plain",
		old: "int(r.sq.entries - ready)",
		new: "int(r.sq.entries)",
	},
}
