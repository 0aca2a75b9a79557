package proactor

// What an operation is made of. The constructors are in op_file_linux.go,
// op_net_linux.go and op_event_linux.go; memory_linux.go makes an entry of the
// submission queue from an operation and a slot's memory.

import (
	"time"

	"github.com/uring-go/uring/sys"
)

// An Op is one operation that has not begun: a value, made by a constructor such
// as Read or Connect, and given to Do, Batch, Link or Multishot. It may be used
// again, and by several goroutines at once if its buffers allow that.
//
// Strings, socket addresses, timespecs and tables of vectors are copied into
// memory of the proactor when the operation begins. Byte slices, and whatever a
// constructor's comment says the kernel writes to, are the caller's; nobody may
// touch them from the call to its return.
type Op struct {
	sqe   sys.SQE
	needs needs
	raw   bool          // made by Raw
	multi repeat        // how a multishot goes on; single for other operations
	limit time.Duration // of WithTimeout; 0 is none
	buf   []byte        // what sqe.Addr points to, if it points to bytes
	path  string
	path2 string   // a second path, or the name of an extended attribute
	bufs  [][]byte // what a vector is made from
	ref   any      // whatever else it points to: *Sockaddr, *Message, *Buffers, …
	gate  *Gate
}

// needs says which memory of a slot an operation's entry points to.
type needs uint8

const (
	needsNothing needs = iota
	needsRef           // none, but ref must be kept reachable
	needsPath          // Addr: path
	needsPaths         // Addr: path, Off: path2
	needsXattr         // Addr: path2, the attribute's name; Addr3: path
	needsHow           // Addr: path, Off: a struct open_how
	needsVector        // Addr, Len: an iovec table made from bufs
	needsAddr          // Addr: a socket address, Off: its length
	needsDest          // Off: a socket address, FileIndex: its length
	needsPeer          // Addr: room for a socket address, Off: a pointer to its length
	needsMessage       // Addr: a msghdr
	needsTime          // Addr: a timespec; in the Op, a number of nanoseconds
)

// repeat says what a multishot does when the kernel ends it though there was no
// error.
type repeat uint8

const (
	single      repeat = iota // not a multishot
	finite                    // it was the end
	rearm                     // begin again
	rearmStream               // begin again, unless the last result was 0: the end of the stream
)

// WithTimeout returns the operation with a limit of its own. If it has not
// completed after d it is cancelled, and its error is os.ErrDeadlineExceeded.
// The kernel counts the time (IORING_OP_LINK_TIMEOUT); a d of 0 or less is no
// limit. In a chain an operation's time begins when its turn comes. It is not for
// a multishot.
func (o Op) WithTimeout(d time.Duration) Op {
	o.limit = max(d, 0)
	return o
}

// Through returns the operation bound to a gate: shutting the gate cancels the
// operation if it has begun, and refuses it if not.
func (o Op) Through(g *Gate) Op {
	o.gate = g
	return o
}

// Async returns the operation to be carried out by a thread of the kernel from the
// start (IOSQE_ASYNC). Otherwise the kernel tries on the caller's thread first, and
// without waiting, which is faster. That try is not without consequence when a FIFO is
// opened: it succeeds for reading, and fails with ENXIO for writing, though nobody has
// the other end.
func (o Op) Async() Op {
	o.sqe.Flags |= sys.IOSQE_ASYNC
	return o
}

// WithFlags returns the operation with bits added to its flags, those that the
// system call of the same name takes: RWF_ for Read and Write, MSG_ for Send and
// Recv, and so on.
func (o Op) WithFlags(flags uint32) Op {
	o.sqe.OpFlags |= flags
	return o
}

// Code returns the operation's kernel name and number.
func (o *Op) Code() sys.Op { return o.sqe.Opcode }

// entries is how many entries the operation takes in the submission queue.
func (o *Op) entries() int {
	if o.limit > 0 {
		return 2
	}
	return 1
}
