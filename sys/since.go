package sys

// The release of Linux in which each operation, flag and feature first worked,
// written by hand from the manual pages and from runs on kernels from 5.10 to
// 7.3; the headers do not say it. It serves messages and tables. It is no
// substitute for asking the kernel: distributions carry newer io_uring in older
// kernels (5.10.223 has that of 5.15).

import "math/bits"

// Since returns the first release of Linux with the operation, like "5.6", or
// "" if the operation is unknown here.
func (v Op) Since() string { return at(opSince[:], int(v)) }

// Since returns the first release of Linux with the operation, like "5.6", or
// "" if the operation is unknown here. IORING_REGISTER_USE_REGISTERED_RING by
// itself is IORING_REGISTER_BUFFERS to a registered ring: 6.3, when the flag
// came. Added to another operation it gives the later of the two.
func (v RegisterOp) Since() string {
	op := v &^ IORING_REGISTER_USE_REGISTERED_RING
	s := at(registerOpSince[:], int(op))
	if op != v && s != "" && op < firstAfterRegisteredRing {
		return registeredRingSince
	}
	return s
}

// Since returns the first release of Linux with the flag, like "5.6", or "" if
// v is not exactly one known flag.
func (v SQEFlags) Since() string { return atBit(sqeFlagSince[:], uint32(v)) }

// Since returns the first release of Linux with the flag, like "5.6", or "" if
// v is not exactly one known flag.
func (v SetupFlags) Since() string { return atBit(setupFlagSince[:], uint32(v)) }

// Since returns the first release of Linux with the feature, like "5.6", or ""
// if v is not exactly one known feature.
func (v FeatFlags) Since() string { return atBit(featFlagSince[:], uint32(v)) }

// Since returns the first release of Linux with the flag, like "5.6", or "" if
// v is not exactly one known flag.
func (v EnterFlags) Since() string { return atBit(enterFlagSince[:], uint32(v)) }

func at(table []string, i int) string {
	if i < 0 || i >= len(table) {
		return ""
	}
	return table[i]
}

func atBit(table []string, v uint32) string {
	if bits.OnesCount32(v) != 1 {
		return ""
	}
	return at(table, bits.TrailingZeros32(v))
}

var opSince = [...]string{
	IORING_OP_NOP:              "5.1",
	IORING_OP_READV:            "5.1",
	IORING_OP_WRITEV:           "5.1",
	IORING_OP_FSYNC:            "5.1",
	IORING_OP_READ_FIXED:       "5.1",
	IORING_OP_WRITE_FIXED:      "5.1",
	IORING_OP_POLL_ADD:         "5.1",
	IORING_OP_POLL_REMOVE:      "5.1",
	IORING_OP_SYNC_FILE_RANGE:  "5.2",
	IORING_OP_SENDMSG:          "5.3",
	IORING_OP_RECVMSG:          "5.3",
	IORING_OP_TIMEOUT:          "5.4",
	IORING_OP_TIMEOUT_REMOVE:   "5.5",
	IORING_OP_ACCEPT:           "5.5",
	IORING_OP_ASYNC_CANCEL:     "5.5",
	IORING_OP_LINK_TIMEOUT:     "5.5",
	IORING_OP_CONNECT:          "5.5",
	IORING_OP_FALLOCATE:        "5.6",
	IORING_OP_OPENAT:           "5.6",
	IORING_OP_CLOSE:            "5.6",
	IORING_OP_FILES_UPDATE:     "5.6",
	IORING_OP_STATX:            "5.6",
	IORING_OP_READ:             "5.6",
	IORING_OP_WRITE:            "5.6",
	IORING_OP_FADVISE:          "5.6",
	IORING_OP_MADVISE:          "5.6",
	IORING_OP_SEND:             "5.6",
	IORING_OP_RECV:             "5.6",
	IORING_OP_OPENAT2:          "5.6",
	IORING_OP_EPOLL_CTL:        "5.6",
	IORING_OP_SPLICE:           "5.7",
	IORING_OP_PROVIDE_BUFFERS:  "5.7",
	IORING_OP_REMOVE_BUFFERS:   "5.7",
	IORING_OP_TEE:              "5.8",
	IORING_OP_SHUTDOWN:         "5.11",
	IORING_OP_RENAMEAT:         "5.11",
	IORING_OP_UNLINKAT:         "5.11",
	IORING_OP_MKDIRAT:          "5.15",
	IORING_OP_SYMLINKAT:        "5.15",
	IORING_OP_LINKAT:           "5.15",
	IORING_OP_MSG_RING:         "5.18",
	IORING_OP_FSETXATTR:        "5.19",
	IORING_OP_SETXATTR:         "5.19",
	IORING_OP_FGETXATTR:        "5.19",
	IORING_OP_GETXATTR:         "5.19",
	IORING_OP_SOCKET:           "5.19",
	IORING_OP_URING_CMD:        "5.19",
	IORING_OP_SEND_ZC:          "6.0",
	IORING_OP_SENDMSG_ZC:       "6.1",
	IORING_OP_READ_MULTISHOT:   "6.7",
	IORING_OP_WAITID:           "6.7",
	IORING_OP_FUTEX_WAIT:       "6.7",
	IORING_OP_FUTEX_WAKE:       "6.7",
	IORING_OP_FUTEX_WAITV:      "6.7",
	IORING_OP_FIXED_FD_INSTALL: "6.8",
	IORING_OP_FTRUNCATE:        "6.9",
	IORING_OP_BIND:             "6.11",
	IORING_OP_LISTEN:           "6.11",
	IORING_OP_RECV_ZC:          "6.15",
	IORING_OP_EPOLL_WAIT:       "6.15",
	IORING_OP_READV_FIXED:      "6.15",
	IORING_OP_WRITEV_FIXED:     "6.15",
	IORING_OP_PIPE:             "6.16",
	IORING_OP_NOP128:           "6.19",
	IORING_OP_URING_CMD128:     "6.19",
}

// The flag IORING_REGISTER_USE_REGISTERED_RING is older than every operation
// from this one on, and younger than those before it.
const (
	registeredRingSince      = "6.3"
	firstAfterRegisteredRing = IORING_REGISTER_PBUF_STATUS
)

var registerOpSince = [...]string{
	IORING_REGISTER_BUFFERS:          "5.1",
	IORING_UNREGISTER_BUFFERS:        "5.1",
	IORING_REGISTER_FILES:            "5.1",
	IORING_UNREGISTER_FILES:          "5.1",
	IORING_REGISTER_EVENTFD:          "5.2",
	IORING_UNREGISTER_EVENTFD:        "5.2",
	IORING_REGISTER_FILES_UPDATE:     "5.5",
	IORING_REGISTER_EVENTFD_ASYNC:    "5.6",
	IORING_REGISTER_PROBE:            "5.6",
	IORING_REGISTER_PERSONALITY:      "5.6",
	IORING_UNREGISTER_PERSONALITY:    "5.6",
	IORING_REGISTER_RESTRICTIONS:     "5.10",
	IORING_REGISTER_ENABLE_RINGS:     "5.10",
	IORING_REGISTER_FILES2:           "5.13",
	IORING_REGISTER_FILES_UPDATE2:    "5.13",
	IORING_REGISTER_BUFFERS2:         "5.13",
	IORING_REGISTER_BUFFERS_UPDATE:   "5.13",
	IORING_REGISTER_IOWQ_AFF:         "5.14",
	IORING_UNREGISTER_IOWQ_AFF:       "5.14",
	IORING_REGISTER_IOWQ_MAX_WORKERS: "5.15",
	IORING_REGISTER_RING_FDS:         "5.18",
	IORING_UNREGISTER_RING_FDS:       "5.18",
	IORING_REGISTER_PBUF_RING:        "5.19",
	IORING_UNREGISTER_PBUF_RING:      "5.19",
	IORING_REGISTER_SYNC_CANCEL:      "6.0",
	IORING_REGISTER_FILE_ALLOC_RANGE: "6.0",
	IORING_REGISTER_PBUF_STATUS:      "6.8",
	IORING_REGISTER_NAPI:             "6.9",
	IORING_UNREGISTER_NAPI:           "6.9",
	IORING_REGISTER_CLOCK:            "6.12",
	IORING_REGISTER_CLONE_BUFFERS:    "6.12",
	IORING_REGISTER_SEND_MSG_RING:    "6.13",
	IORING_REGISTER_ZCRX_IFQ:         "6.15",
	IORING_REGISTER_RESIZE_RINGS:     "6.13",
	IORING_REGISTER_MEM_REGION:       "6.13",
	IORING_REGISTER_QUERY:            "6.18",
	IORING_REGISTER_ZCRX_CTRL:        "6.19",
	IORING_REGISTER_BPF_FILTER:       "7.0",
}

var sqeFlagSince = [...]string{
	IOSQE_FIXED_FILE_BIT:       "5.1",
	IOSQE_IO_DRAIN_BIT:         "5.2",
	IOSQE_IO_LINK_BIT:          "5.3",
	IOSQE_IO_HARDLINK_BIT:      "5.5",
	IOSQE_ASYNC_BIT:            "5.6",
	IOSQE_BUFFER_SELECT_BIT:    "5.7",
	IOSQE_CQE_SKIP_SUCCESS_BIT: "5.17",
}

// The rest is indexed by bit number; the comments say whose. The test holds
// every generated constant against these tables.

var setupFlagSince = [...]string{
	0:  "5.1",  // IOPOLL
	1:  "5.1",  // SQPOLL
	2:  "5.1",  // SQ_AFF
	3:  "5.5",  // CQSIZE
	4:  "5.6",  // CLAMP
	5:  "5.6",  // ATTACH_WQ
	6:  "5.10", // R_DISABLED
	7:  "5.18", // SUBMIT_ALL
	8:  "5.19", // COOP_TASKRUN
	9:  "5.19", // TASKRUN_FLAG
	10: "5.19", // SQE128
	11: "5.19", // CQE32
	12: "6.0",  // SINGLE_ISSUER
	13: "6.1",  // DEFER_TASKRUN
	14: "6.5",  // NO_MMAP
	15: "6.5",  // REGISTERED_FD_ONLY
	16: "6.6",  // NO_SQARRAY
	17: "6.13", // HYBRID_IOPOLL
	18: "6.18", // CQE_MIXED
	19: "6.19", // SQE_MIXED
	20: "7.0",  // SQ_REWIND
}

var featFlagSince = [...]string{
	0:  "5.4",  // SINGLE_MMAP
	1:  "5.5",  // NODROP
	2:  "5.5",  // SUBMIT_STABLE
	3:  "5.6",  // RW_CUR_POS
	4:  "5.6",  // CUR_PERSONALITY
	5:  "5.7",  // FAST_POLL
	6:  "5.9",  // POLL_32BITS
	7:  "5.11", // SQPOLL_NONFIXED
	8:  "5.11", // EXT_ARG
	9:  "5.12", // NATIVE_WORKERS
	10: "5.13", // RSRC_TAGS
	11: "5.17", // CQE_SKIP
	12: "5.17", // LINKED_FILE
	13: "6.3",  // REG_REG_RING
	14: "6.10", // RECVSEND_BUNDLE
	15: "6.12", // MIN_TIMEOUT
	16: "6.14", // RW_ATTR
	17: "6.15", // NO_IOWAIT
}

var enterFlagSince = [...]string{
	0: "5.1",  // GETEVENTS
	1: "5.1",  // SQ_WAKEUP
	2: "5.10", // SQ_WAIT
	3: "5.11", // EXT_ARG
	4: "5.18", // REGISTERED_RING
	5: "6.12", // ABS_TIMER
	6: "6.13", // EXT_ARG_REG
	7: "6.15", // NO_IOWAIT
}
