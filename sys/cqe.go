package sys

// What a completion says, read without knowing the request it belongs to.
// The structs themselves are generated (zabi.go).

import "syscall"

// Result returns what the request returned: Res, or the error that a negative
// Res stands for as a syscall.Errno.
func (c CQE) Result() (int, error) {
	if c.Res < 0 {
		return 0, syscall.Errno(-c.Res)
	}
	return int(c.Res), nil
}

// More reports whether the request will post another completion: a multishot
// request that stays armed, or a zero-copy send whose notification is still to
// come. The memory it uses belongs to the kernel until a completion says no.
func (c CQE) More() bool { return c.Flags&IORING_CQE_F_MORE != 0 }

// Notif reports whether this is the notification of a zero-copy send: the
// kernel has let go of the buffer.
func (c CQE) Notif() bool { return c.Flags&IORING_CQE_F_NOTIF != 0 }

// Buffer returns the id of the provided buffer that the kernel chose, if it
// chose one.
func (c CQE) Buffer() (id uint16, ok bool) {
	return uint16(c.Flags >> IORING_CQE_BUFFER_SHIFT), c.Flags&IORING_CQE_F_BUFFER != 0
}

// BufferMore reports whether the kernel will go on filling the same provided
// buffer (incremental consumption, Linux 6.12): it is not to be given back yet.
func (c CQE) BufferMore() bool { return c.Flags&IORING_CQE_F_BUF_MORE != 0 }

// SockNonempty reports whether the socket had more to read, or more
// connections to accept, when this completion was posted.
func (c CQE) SockNonempty() bool { return c.Flags&IORING_CQE_F_SOCK_NONEMPTY != 0 }
