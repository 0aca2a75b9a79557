// Package ringnet is package net on io_uring: connections, listeners and packet
// connections whose calls a proactor carries out. They satisfy net.Conn,
// net.Listener, net.PacketConn and syscall.Conn, so that net/http, crypto/tls and
// grpc work on them unchanged.
//
//	var n ringnet.Net // the zero value is ready
//	l, err := n.Listen("tcp", ":8080")
//	…
//	http.Serve(l, handler)
//
// and for clients
//
//	http.Transport{DialContext: n.DialContext}
//
// # What is as in package net
//
// Names are looked up with net.DefaultResolver, and of several addresses the two
// families race. TCP connections begin with TCP_NODELAY and keep-alive. Errors are
// *net.OpError, the end of a stream is a bare io.EOF; errors.Is finds net.ErrClosed,
// os.ErrDeadlineExceeded, context.Canceled and errno values. Deadlines and Close reach
// calls in flight, and Close returns when the descriptor is closed: never while a
// call uses it. Reads of one connection do not overtake each other, nor do writes.
//
// # What differs
//
// Accept takes connections out of the kernel's queue before they are asked for
// (multishot accept); those that nobody asked for are closed with the listener.
// SetReadDeadline, SetWriteDeadline and SetDeadline of a time in the past end calls in
// flight a moment later, not before they return. A Listener on "tcp" and 0.0.0.0 has
// IPv4 only. What is never closed stays open: there is no finalizer. net.Buffers.WriteTo
// writes to connections of package net with one system call; here Conn.WriteBuffers
// does.
//
// # What goes through the ring
//
// Accept, Connect, what is received and what is sent, and waiting. Calls that never
// wait (making a socket, binding it, options, shutdown) are system calls, and so are
// sendfile and splice, with which io.Copy keeps data in the kernel: as requests each
// would occupy a thread of the kernel's. A TCP connection on which a deadline has once
// broken off a Read, as servers of net/http do with every request, has the ring tell
// when there is something to receive, and receives and sends by system calls.
//
// Receiving into buffers that the kernel chooses (multishot receive) was measured for
// Read and not used: copying out of them cost more than the requests that it saves.
// Package net is the better choice for a handful of connections that are never busy
// at once, for it costs no more there and is simpler.
//
// # Without io_uring
//
// Where a kernel or a sandbox refuses io_uring everything works all the same, by
// ordinary system calls; see proactor.Config.Fallback.
package ringnet
