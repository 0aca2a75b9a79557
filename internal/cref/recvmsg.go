//go:build linux && cgo && !uringgo

package cref

// #include "cref.h"
import "C"

import "unsafe"

// RecvmsgMessages is the greatest number of control messages that Recvmsg
// reports.
const RecvmsgMessages = C.CREF_MESSAGES

// Recvmsg is what liburing says about a buffer that a multishot recvmsg filled.
// Offsets are from the beginning of the buffer.
type Recvmsg struct {
	Valid                     bool
	Name, Payload, PayloadLen int
	Messages                  []int // where control messages begin
}

// ParseRecvmsg gives buf to liburing's io_uring_recvmsg_ functions, with a msghdr
// of these sizes.
func ParseRecvmsg(buf []byte, namelen uint32, controllen uint64) Recvmsg {
	var out C.struct_cref_recvmsg
	C.cref_recvmsg(unsafe.Pointer(unsafe.SliceData(buf)), C.int(len(buf)), C.uint32_t(namelen), C.uint64_t(controllen), &out)
	r := Recvmsg{Valid: out.valid != 0, Name: int(out.name), Payload: int(out.payload), PayloadLen: int(out.payload_len)}
	for _, off := range out.message[:out.messages] {
		r.Messages = append(r.Messages, int(off))
	}
	return r
}
