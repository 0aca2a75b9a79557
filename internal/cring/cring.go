// Package cring is liburing's struct io_uring as Go sees it: what a C program
// holds, and what liburing's inline functions read and write without asking.
//
// Addresses are integers here. The struct lies in C's memory, which may hold
// anything before it is set up, and the garbage collector must not take that for
// pointers; package purego turns them into pointers where it uses them.
package cring

import "structs"

// Ring is struct io_uring: 216 bytes where a pointer has 8, the same in every
// liburing from 2.3 to 2.15.
type Ring struct {
	_           structs.HostLayout
	SQ          SQ
	CQ          CQ
	Flags       uint32 // IORING_SETUP_*
	RingFd      int32  // -1: none, or closed
	Features    uint32 // IORING_FEAT_*
	EnterRingFd int32  // RingFd, or the index if registered
	IntFlags    IntFlags
	_           [3]uint8
	_           uint32
}

// SQ is struct io_uring_sq.
type SQ struct {
	_            structs.HostLayout
	KHead        uintptr
	KTail        uintptr
	KRingMask    uintptr
	KRingEntries uintptr
	KFlags       uintptr
	KDropped     uintptr
	Array        uintptr // 0 without an index array
	SQEs         uintptr
	Head         uint32 // the tail that the kernel was told
	Tail         uint32 // the tail up to which the program took entries
	RingSz       uintptr
	RingPtr      uintptr
	RingMask     uint32
	RingEntries  uint32
	SQEsSz       uint32
	_            uint32
}

// CQ is struct io_uring_cq.
type CQ struct {
	_            structs.HostLayout
	KHead        uintptr
	KTail        uintptr
	KRingMask    uintptr
	KRingEntries uintptr
	KFlags       uintptr // 0 on kernels before 5.8
	KOverflow    uintptr
	CQEs         uintptr
	RingSz       uintptr
	RingPtr      uintptr
	RingMask     uint32
	RingEntries  uint32
	_            [2]uint32
}

// IntFlags are the library's own flags, in a byte that programs do not touch.
// The two that io_uring_enter(2) knows have its bits.
type IntFlags uint8

const (
	RegRegRing IntFlags = 1 << 0 // registrations go through the index, too
	AppMem     IntFlags = 1 << 1 // the rings lie in the program's memory
	CQEnter    IntFlags = 1 << 2 // completions are found by entering only
	RegRing    IntFlags = 1 << 4 // IORING_ENTER_REGISTERED_RING
	NoIowait   IntFlags = 1 << 7 // IORING_ENTER_NO_IOWAIT

	EnterFlags = RegRing | NoIowait // what goes to io_uring_enter(2)
)
