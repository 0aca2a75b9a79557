package features

// What no single constant tells. Each has a line in this table, a function that
// asks for it by name, and one in behaviours_linux.go that tries it.

type behaviour struct {
	name, since string
}

var behaviours = [...]behaviour{
	acceptMultishot:  {"accept_multishot", "5.19"},
	bufRing:          {"buf_ring", "5.19"},
	bufRingIncr:      {"buf_ring_incremental", "6.12"},
	bufRingMmap:      {"buf_ring_mmap", "6.4"},
	bundle:           {"bundle", "6.10"},
	cancelAny:        {"cancel_any", "5.19"},
	cancelOp:         {"cancel_op", "6.6"},
	directAlloc:      {"direct_alloc", "5.19"},
	filesSparse:      {"files_sparse", "5.19"},
	getsockname:      {"getsockname", "6.19"},
	minTimeout:       {"min_timeout", "6.12"},
	msgRingFlags:     {"msg_ring_flags", "6.3"},
	nopResult:        {"nop_result", "6.10"},
	pollMultishot:    {"poll_multishot", "5.13"},
	recvMultishot:    {"recv_multishot", "6.0"},
	sendVectorized:   {"send_vectorized", "6.17"},
	sendZC:           {"send_zc", "6.0"},
	socketOption:     {"socket_option", "6.7"},
	timeoutImmediate: {"timeout_immediate", "7.1"},
	timeoutMultishot: {"timeout_multishot", "6.4"},
}

// Places in the table.
const (
	acceptMultishot = iota
	bufRing
	bufRingIncr
	bufRingMmap
	bundle
	cancelAny
	cancelOp
	directAlloc
	filesSparse
	getsockname
	minTimeout
	msgRingFlags
	nopResult
	pollMultishot
	recvMultishot
	sendVectorized
	sendZC
	socketOption
	timeoutImmediate
	timeoutMultishot
)

func haveBehaviour(i int) error {
	return Feature{Behaviour, behaviours[i].name, behaviours[i].since, uint32(i)}.Have()
}

// HaveAcceptMultishot asks for IORING_ACCEPT_MULTISHOT (Linux 5.19): one accept
// that completes for every connection.
func HaveAcceptMultishot() error { return haveBehaviour(acceptMultishot) }

// HaveBufRing asks for rings of provided buffers (Linux 5.19) in memory of the
// caller's.
func HaveBufRing() error { return haveBehaviour(bufRing) }

// HaveBufRingIncremental asks for IOU_PBUF_RING_INC (Linux 6.12): a provided
// buffer that several completions fill one after another.
func HaveBufRingIncremental() error { return haveBehaviour(bufRingIncr) }

// HaveBufRingMmap asks for IOU_PBUF_RING_MMAP (Linux 6.4): rings of provided
// buffers in memory of the kernel's.
func HaveBufRingMmap() error { return haveBehaviour(bufRingMmap) }

// HaveBundle asks for IORING_RECVSEND_BUNDLE (Linux 6.10): one send or receive
// over several provided buffers. IORING_FEAT_RECVSEND_BUNDLE is its bit.
func HaveBundle() error { return haveBehaviour(bundle) }

// HaveCancelAny asks for IORING_ASYNC_CANCEL_ALL and IORING_ASYNC_CANCEL_ANY
// (Linux 5.19): a cancellation of many requests.
func HaveCancelAny() error { return haveBehaviour(cancelAny) }

// HaveCancelOp asks for IORING_ASYNC_CANCEL_OP (Linux 6.6): a cancellation of
// requests by their operation.
func HaveCancelOp() error { return haveBehaviour(cancelOp) }

// HaveDirectAlloc asks for IORING_FILE_INDEX_ALLOC (Linux 5.19): direct
// descriptors in slots that the kernel chooses.
func HaveDirectAlloc() error { return haveBehaviour(directAlloc) }

// HaveFilesSparse asks for IORING_RSRC_REGISTER_SPARSE (Linux 5.19): tables of
// registered files that start empty.
func HaveFilesSparse() error { return haveBehaviour(filesSparse) }

// HaveGetsockname asks for SOCKET_URING_OP_GETSOCKNAME (Linux 6.19), on an
// internet socket.
func HaveGetsockname() error { return haveBehaviour(getsockname) }

// HaveMinTimeout asks for Wait.MinTimeout (Linux 6.12).
// IORING_FEAT_MIN_TIMEOUT is its bit.
func HaveMinTimeout() error { return haveBehaviour(minTimeout) }

// HaveMsgRingFlags asks for IORING_MSG_RING_FLAGS_PASS (Linux 6.3): messages
// that carry the flags of their completion.
func HaveMsgRingFlags() error { return haveBehaviour(msgRingFlags) }

// HaveNopResult asks for IORING_NOP_INJECT_RESULT (Linux 6.10): a NOP with a
// result of the caller's choice.
func HaveNopResult() error { return haveBehaviour(nopResult) }

// HavePollMultishot asks for IORING_POLL_ADD_MULTI (Linux 5.13): one poll that
// completes for every event.
func HavePollMultishot() error { return haveBehaviour(pollMultishot) }

// HaveRecvMultishot asks for IORING_RECV_MULTISHOT (Linux 6.0): one receive that
// completes for every message, into provided buffers.
func HaveRecvMultishot() error { return haveBehaviour(recvMultishot) }

// HaveSendVectorized asks for IORING_SEND_VECTORIZED (Linux 6.17): a send of
// several buffers without a message header.
func HaveSendVectorized() error { return haveBehaviour(sendVectorized) }

// HaveSendZC asks for zero-copy sends (Linux 6.0), with their notification, on a
// UDP socket of the loopback device.
func HaveSendZC() error { return haveBehaviour(sendZC) }

// HaveSocketOption asks for SOCKET_URING_OP_GETSOCKOPT (Linux 6.7), on an
// internet socket: for those of AF_UNIX Linux 6.17 lost it for a while.
func HaveSocketOption() error { return haveBehaviour(socketOption) }

// HaveTimeoutImmediate asks for IORING_TIMEOUT_IMMEDIATE_ARG (Linux 7.1): a
// timeout that holds its time itself.
func HaveTimeoutImmediate() error { return haveBehaviour(timeoutImmediate) }

// HaveTimeoutMultishot asks for IORING_TIMEOUT_MULTISHOT (Linux 6.4): a timeout
// that completes again and again.
func HaveTimeoutMultishot() error { return haveBehaviour(timeoutMultishot) }
