// Package ringloop serves connections without a goroutine for each: one thread calls
// handlers with what has arrived.
//
// It is for servers that want the last third of what io_uring gives, at the price of
// another way to write them. Package ringnet has net.Conn and net.Listener on io_uring,
// which is what most programs want.
//
//	l, err := ringloop.New(nil)
//	…
//	l.Serve(listener, &ringloop.Handler{
//		Data: func(c *ringloop.Conn, b []byte) { c.Send(b) },
//	})
//	err = l.Run(ctx)
//
// # Handlers
//
// Run locks its goroutine to a thread and calls all handlers and posted functions
// there, one at a time: they need no locks among themselves, and whatever takes long
// in one delays all connections of the Loop. Other goroutines reach a Loop by Post
// only; the methods of Conn are for the Loop's own thread.
//
// What Data is given lies in a buffer that belongs to the ring, and is valid until the
// handler returns. Send copies, so that the caller's slice is free again at once; what
// is sent in one turn of the loop to one connection leaves with one request.
//
// Data is not called for a connection that does not take what it is sent: beyond
// Config.SendLimit receiving pauses until it has. A peer that shuts down its sending
// side still gets what was sent before the connection is closed.
//
// # Several processors
//
// A Loop keeps one processor busy. For more, make one for each; all may serve the same
// listener, or each a listener of its own on the same port with SO_REUSEPORT, which
// spreads connections evenly.
//
// # Without io_uring
//
// It needs Linux 6.1 (IORING_SETUP_DEFER_TASKRUN, multishot receive, buffer rings).
// Where that is missing, or a sandbox refuses io_uring, the same Loop works on epoll;
// Loop.Ring says which, and Config.Fallback whether it may.
package ringloop
