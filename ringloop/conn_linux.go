package ringloop

// Connections: what waits to be sent, and when one is over.

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Conn is a connection of a Loop. Its methods are for the Loop's thread: handlers and
// posted functions.
type Conn struct {
	// Context is the handlers' own.
	Context any

	l     *Loop
	h     *Handler
	fd    int
	index uint32
	epoch uint32 // of the engine

	state     state
	receiving bool // the engine receives
	sending   bool // the engine sends flying
	paused    bool // too much waits to be sent
	eof       bool // nothing more will come
	dirty     bool // in Loop.dirty
	err       error

	out    []byte // to be sent next
	flying []byte // is being sent
	sent   int    // of flying
}

type state uint8

const (
	alive   state = iota
	closing       // when all is sent
	dead          // when nothing is under way
)

// keepBuffer is how large a send buffer may be that a connection keeps.
const keepBuffer = 64 << 10

// Loop returns the Loop that the connection belongs to.
func (c *Conn) Loop() *Loop { return c.l }

// Fd returns the socket's descriptor, -1 when it is closed: to set options, not to
// read, write or close it.
func (c *Conn) Fd() int { return c.fd }

// Send sends b to the peer, after what was sent before. It copies b and returns at
// once. After Close or an error it is net.ErrClosed.
func (c *Conn) Send(b []byte) error {
	if c.state != alive {
		return net.ErrClosed
	}
	c.out = append(c.out, b...)
	c.mark()
	return nil
}

// Buffered returns how many bytes the kernel has not yet taken.
func (c *Conn) Buffered() int { return len(c.out) + len(c.flying) - c.sent }

// Close closes the connection when all that was given to Send is with the kernel. Data
// is not called any more.
func (c *Conn) Close() {
	if c.state == alive {
		c.state = closing
		c.mark()
	}
}

// Abort closes the connection without sending what waits.
func (c *Conn) Abort() { c.finish(net.ErrClosed) }

// mark has the loop look at the connection at the end of this turn.
func (c *Conn) mark() {
	if !c.dirty {
		c.dirty = true
		c.l.dirty = append(c.l.dirty, c)
	}
}

// advance makes the requests that are due.
func (c *Conn) advance() {
	if c.state == dead {
		return
	}
	if !c.sending && c.Buffered() > 0 {
		if c.sent == len(c.flying) {
			c.flying, c.out, c.sent = c.out, c.flying[:0], 0
		}
		c.sending = true
		c.l.engine.send(c)
	}
	switch {
	case c.Buffered() == 0 && (c.eof || c.state == closing):
		c.finish(nil)
	case c.eof || c.state == closing:
	case c.Buffered() > c.l.config.SendLimit:
		if !c.paused {
			c.paused = true
			if c.receiving {
				c.l.engine.stopReceiving(c)
			}
		}
	case c.paused && c.Buffered() > c.l.config.SendLimit/2:
	default:
		c.paused = false
		if !c.receiving {
			c.receiving = true
			c.l.engine.receive(c)
		}
	}
}

// finish ends the connection, as soon as nothing is under way.
func (c *Conn) finish(err error) {
	if c.state == dead {
		return
	}
	c.state, c.err = dead, err
	c.out = nil
	if c.receiving || c.sending {
		unix.Shutdown(c.fd, unix.SHUT_RDWR) // which ends both
	}
	c.l.ending = append(c.l.ending, c)
}

// arrived gives data to the handler.
func (c *Conn) arrived(b []byte) {
	if c.state == alive && c.h.Data != nil {
		c.h.Data(c, b)
	}
}

// receivingEnded tells that the engine does not receive any more: at the end of the
// stream, after an error, or because it was told so.
func (c *Conn) receivingEnded(eof bool, err syscall.Errno) {
	c.receiving = false
	switch {
	case err != 0:
		c.finish(err)
	case eof:
		c.eof = true
	}
	c.mark()
}

// sendingEnded tells what became of a send.
func (c *Conn) sendingEnded(n int, err syscall.Errno) {
	c.sending = false
	if err != 0 {
		c.finish(err)
		return
	}
	c.sent += n
	if c.sent == len(c.flying) {
		c.flying, c.sent = c.flying[:0], 0
		if cap(c.flying) > keepBuffer {
			c.flying = nil
		}
		if len(c.out) == 0 && c.h.Drained != nil && c.state == alive {
			c.h.Drained(c)
		}
	}
	if c.Buffered() > 0 || c.paused || c.eof || c.state == closing {
		c.mark()
	}
}
