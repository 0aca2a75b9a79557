package sys

// The release of Linux in which each operation, flag and feature first worked,
// written by hand from the manual pages, the kernel's history, and runs on
// kernels from 5.10 to 7.3; the headers do not say it. It serves messages and
// tables. It is no substitute for asking the kernel: stable series carry newer
// io_uring (5.10.223 has that of 5.15).

// Since returns the first release of Linux with the operation, like "5.6", or
// "" if the operation is unknown here.
func (v Op) Since() string {
	switch v {
	case IORING_OP_NOP, IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_READ_FIXED,
		IORING_OP_WRITE_FIXED, IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE:
		return "5.1"
	case IORING_OP_SYNC_FILE_RANGE:
		return "5.2"
	case IORING_OP_SENDMSG, IORING_OP_RECVMSG:
		return "5.3"
	case IORING_OP_TIMEOUT:
		return "5.4"
	case IORING_OP_TIMEOUT_REMOVE, IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_LINK_TIMEOUT,
		IORING_OP_CONNECT:
		return "5.5"
	case IORING_OP_FALLOCATE, IORING_OP_OPENAT, IORING_OP_CLOSE, IORING_OP_FILES_UPDATE,
		IORING_OP_STATX, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FADVISE, IORING_OP_MADVISE,
		IORING_OP_SEND, IORING_OP_RECV, IORING_OP_OPENAT2, IORING_OP_EPOLL_CTL:
		return "5.6"
	case IORING_OP_SPLICE, IORING_OP_PROVIDE_BUFFERS, IORING_OP_REMOVE_BUFFERS:
		return "5.7"
	case IORING_OP_TEE:
		return "5.8"
	case IORING_OP_SHUTDOWN, IORING_OP_RENAMEAT, IORING_OP_UNLINKAT:
		return "5.11"
	case IORING_OP_MKDIRAT, IORING_OP_SYMLINKAT, IORING_OP_LINKAT:
		return "5.15"
	case IORING_OP_MSG_RING:
		return "5.18"
	case IORING_OP_FSETXATTR, IORING_OP_SETXATTR, IORING_OP_FGETXATTR, IORING_OP_GETXATTR,
		IORING_OP_SOCKET, IORING_OP_URING_CMD:
		return "5.19"
	case IORING_OP_SEND_ZC:
		return "6.0"
	case IORING_OP_SENDMSG_ZC:
		return "6.1"
	case IORING_OP_READ_MULTISHOT, IORING_OP_WAITID, IORING_OP_FUTEX_WAIT, IORING_OP_FUTEX_WAKE,
		IORING_OP_FUTEX_WAITV:
		return "6.7"
	case IORING_OP_FIXED_FD_INSTALL:
		return "6.8"
	case IORING_OP_FTRUNCATE:
		return "6.9"
	case IORING_OP_BIND, IORING_OP_LISTEN:
		return "6.11"
	case IORING_OP_RECV_ZC, IORING_OP_EPOLL_WAIT, IORING_OP_READV_FIXED, IORING_OP_WRITEV_FIXED:
		return "6.15"
	case IORING_OP_PIPE:
		return "6.16"
	case IORING_OP_NOP128, IORING_OP_URING_CMD128:
		return "6.19"
	}
	return ""
}

// Since returns the first release of Linux with the operation, like "5.6", or
// "" if the operation is unknown here. With
// IORING_REGISTER_USE_REGISTERED_RING, which came in 6.3, it is the later of
// the two releases.
func (v RegisterOp) Since() string {
	if op := v &^ IORING_REGISTER_USE_REGISTERED_RING; op != v {
		// Numbers are given out in order: all up to this one are older than 6.3.
		if op <= IORING_REGISTER_FILE_ALLOC_RANGE {
			return "6.3"
		}
		return op.Since()
	}
	switch v {
	case IORING_REGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS, IORING_REGISTER_FILES,
		IORING_UNREGISTER_FILES:
		return "5.1"
	case IORING_REGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD:
		return "5.2"
	case IORING_REGISTER_FILES_UPDATE:
		return "5.5"
	case IORING_REGISTER_EVENTFD_ASYNC, IORING_REGISTER_PROBE, IORING_REGISTER_PERSONALITY,
		IORING_UNREGISTER_PERSONALITY:
		return "5.6"
	case IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_ENABLE_RINGS:
		return "5.10"
	case IORING_REGISTER_FILES2, IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_BUFFERS2,
		IORING_REGISTER_BUFFERS_UPDATE:
		return "5.13"
	case IORING_REGISTER_IOWQ_AFF, IORING_UNREGISTER_IOWQ_AFF:
		return "5.14"
	case IORING_REGISTER_IOWQ_MAX_WORKERS:
		return "5.15"
	case IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS:
		return "5.18"
	case IORING_REGISTER_PBUF_RING, IORING_UNREGISTER_PBUF_RING:
		return "5.19"
	case IORING_REGISTER_SYNC_CANCEL, IORING_REGISTER_FILE_ALLOC_RANGE:
		return "6.0"
	case IORING_REGISTER_PBUF_STATUS:
		return "6.8"
	case IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI:
		return "6.9"
	case IORING_REGISTER_CLOCK, IORING_REGISTER_CLONE_BUFFERS:
		return "6.12"
	case IORING_REGISTER_SEND_MSG_RING, IORING_REGISTER_RESIZE_RINGS, IORING_REGISTER_MEM_REGION:
		return "6.13"
	case IORING_REGISTER_ZCRX_IFQ:
		return "6.15"
	case IORING_REGISTER_QUERY:
		return "6.18"
	case IORING_REGISTER_ZCRX_CTRL:
		return "6.19"
	case IORING_REGISTER_BPF_FILTER:
		return "7.0"
	}
	return ""
}

// Since returns the first release of Linux with the flag, like "5.6", or "" if
// v is not exactly one known flag.
func (v SQEFlags) Since() string {
	switch v {
	case IOSQE_FIXED_FILE:
		return "5.1"
	case IOSQE_IO_DRAIN:
		return "5.2"
	case IOSQE_IO_LINK:
		return "5.3"
	case IOSQE_IO_HARDLINK:
		return "5.5"
	case IOSQE_ASYNC:
		return "5.6"
	case IOSQE_BUFFER_SELECT:
		return "5.7"
	case IOSQE_CQE_SKIP_SUCCESS:
		return "5.17"
	}
	return ""
}

// Since returns the first release of Linux with the flag, like "5.6", or "" if
// v is not exactly one known flag.
func (v SetupFlags) Since() string {
	switch v {
	case IORING_SETUP_IOPOLL, IORING_SETUP_SQPOLL, IORING_SETUP_SQ_AFF:
		return "5.1"
	case IORING_SETUP_CQSIZE:
		return "5.5"
	case IORING_SETUP_CLAMP, IORING_SETUP_ATTACH_WQ:
		return "5.6"
	case IORING_SETUP_R_DISABLED:
		return "5.10"
	case IORING_SETUP_SUBMIT_ALL:
		return "5.18"
	case IORING_SETUP_COOP_TASKRUN, IORING_SETUP_TASKRUN_FLAG, IORING_SETUP_SQE128, IORING_SETUP_CQE32:
		return "5.19"
	case IORING_SETUP_SINGLE_ISSUER:
		return "6.0"
	case IORING_SETUP_DEFER_TASKRUN:
		return "6.1"
	case IORING_SETUP_NO_MMAP, IORING_SETUP_REGISTERED_FD_ONLY:
		return "6.5"
	case IORING_SETUP_NO_SQARRAY:
		return "6.6"
	case IORING_SETUP_HYBRID_IOPOLL:
		return "6.13"
	case IORING_SETUP_CQE_MIXED:
		return "6.18"
	case IORING_SETUP_SQE_MIXED:
		return "6.19"
	case IORING_SETUP_SQ_REWIND:
		return "7.0"
	}
	return ""
}

// Since returns the first release of Linux with the feature, like "5.6", or ""
// if v is not exactly one known feature.
func (v FeatFlags) Since() string {
	switch v {
	case IORING_FEAT_SINGLE_MMAP:
		return "5.4"
	case IORING_FEAT_NODROP, IORING_FEAT_SUBMIT_STABLE:
		return "5.5"
	case IORING_FEAT_RW_CUR_POS, IORING_FEAT_CUR_PERSONALITY:
		return "5.6"
	case IORING_FEAT_FAST_POLL:
		return "5.7"
	case IORING_FEAT_POLL_32BITS:
		return "5.9"
	case IORING_FEAT_SQPOLL_NONFIXED, IORING_FEAT_EXT_ARG:
		return "5.11"
	case IORING_FEAT_NATIVE_WORKERS:
		return "5.12"
	case IORING_FEAT_RSRC_TAGS:
		return "5.13"
	case IORING_FEAT_CQE_SKIP, IORING_FEAT_LINKED_FILE:
		return "5.17"
	case IORING_FEAT_REG_REG_RING:
		return "6.3"
	case IORING_FEAT_RECVSEND_BUNDLE:
		return "6.10"
	case IORING_FEAT_MIN_TIMEOUT:
		return "6.12"
	case IORING_FEAT_RW_ATTR:
		return "6.14"
	case IORING_FEAT_NO_IOWAIT:
		return "6.15"
	}
	return ""
}

// Since returns the first release of Linux with the flag, like "5.6", or "" if
// v is not exactly one known flag.
func (v EnterFlags) Since() string {
	switch v {
	case IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAKEUP:
		return "5.1"
	case IORING_ENTER_SQ_WAIT:
		return "5.10"
	case IORING_ENTER_EXT_ARG:
		return "5.11"
	case IORING_ENTER_REGISTERED_RING:
		return "5.18"
	case IORING_ENTER_ABS_TIMER:
		return "6.12"
	case IORING_ENTER_EXT_ARG_REG:
		return "6.13"
	case IORING_ENTER_NO_IOWAIT:
		return "6.15"
	}
	return ""
}
