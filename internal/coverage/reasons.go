//go:build linux

package main

// What cannot be seen to succeed, and why.

import (
	"syscall"

	"github.com/uring-go/uring/sys"
)

// expected says which errors are an operation's success.
func expected(op sys.Op, res int32) bool {
	switch op {
	case sys.IORING_OP_TIMEOUT:
		return res == -int32(syscall.ETIME)
	case sys.IORING_OP_LINK_TIMEOUT:
		return res == -int32(syscall.ETIME) || res == -int32(syscall.ECANCELED)
	}
	return false
}

// opReasons are the operations that no scenario can run.
var opReasons = map[sys.Op]string{
	sys.IORING_OP_RECV_ZC:      "needs a network card that splits headers; its errors are tested",
	sys.IORING_OP_URING_CMD128: "needs an NVMe or ublk device that takes 128-byte commands; its entry is tested",
}

// registerReasons are the registrations that no scenario can run, because a ring
// that runs them is of no use to the next, or because they are not made on a ring;
// where a name is given, it is that of a test of package uring that runs them on
// both backends.
var registerReasons = map[sys.RegisterOp]string{
	sys.IORING_REGISTER_SEND_MSG_RING: "TestMsgRing",
	sys.IORING_REGISTER_RESIZE_RINGS:  "TestRingResize",
	sys.IORING_REGISTER_MEM_REGION:    "TestWaitRegion",
	sys.IORING_REGISTER_BPF_FILTER:    "TestBPFFilter (Linux 7.0 and later)",
	sys.IORING_REGISTER_ZCRX_IFQ:      "needs a network card that splits headers; its errors are tested",
	sys.IORING_REGISTER_ZCRX_CTRL:     "needs a zero-copy receive queue; its errors are tested",
}
