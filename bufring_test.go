//go:build linux

package uring_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

const enobufs = -int32(syscall.ENOBUFS)

// bufRing makes a buffer ring, or skips the test if the kernel has none such.
func (r live) bufRing(cfg uring.BufRingConfig) *uring.BufRing {
	r.t.Helper()
	br, err := r.NewBufRingConfig(cfg)
	if err != nil {
		needRegister(r.t, r.Fd(), sys.IORING_REGISTER_PBUF_RING, 1)
		switch {
		case cfg.MinLeft > 0:
			if _, e := uring.QueryZCRXEvent(); e != nil { // as old as that query
				r.t.Skip("this kernel ends no incremental buffer early (Linux 7.2)")
			}
		case cfg.Incremental && !has612(r):
			r.t.Skip("this kernel has no incremental buffers (Linux 6.12)")
		case cfg.KernelMemory && !knowsRegister(r.Fd(), sys.IORING_REGISTER_PBUF_STATUS, 1):
			r.t.Skip("this kernel has no memory of its own for buffer rings (Linux 6.4)")
		}
		r.t.Fatal(err)
	}
	return br
}

// readSelected reads up to n bytes into a buffer of the group.
func (r live) readSelected(fd int, br *uring.BufRing, n uint32) uring.CQE {
	r.t.Helper()
	s := r.sqe(1)
	s.PrepRead(fd, nil, 0)
	s.Len, s.BufIndex, s.Flags = n, br.Group(), sys.IOSQE_BUFFER_SELECT
	return r.submit(1)[0]
}

// send writes to a descriptor what must fit into it.
func send(t *testing.T, fd int, data string) {
	t.Helper()
	if n, err := unix.Write(fd, []byte(data)); err != nil || n != len(data) {
		t.Fatalf("writing %d bytes: %d, %v", len(data), n, err)
	}
}

// joined is what Take returns, in one piece.
func joined(parts [][]byte) string { return string(bytes.Join(parts, nil)) }

// cloned is a list of ids that outlives the next Take.
func cloned(ids []uint16) []uint16 { return append([]uint16{}, ids...) }

func TestBufRing(t *testing.T) {
	for _, kernelMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("kernel=%v", kernelMemory), func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
				r := open(t, b, 0)
				w, p := socketPair(t)
				br := r.bufRing(uring.BufRingConfig{Group: 3, Count: 4, Size: 8, KernelMemory: kernelMemory})
				status := knowsRegister(r.Fd(), sys.IORING_REGISTER_PBUF_STATUS, 1)
				available := func(what string, head uint16, n int) {
					t.Helper()
					if !status {
						return
					}
					gotHead, err := br.Head()
					expectErr(t, what, err, nil)
					got, err := br.Available()
					expectErr(t, what, err, nil)
					expect(t, what+": head and available", [2]int{int(gotHead), got}, [2]int{int(head), n})
				}
				available("new", 0, 4)
				_, err := r.NewBufRing(3, 4, 8)
				expectErr(t, "the same group", err, syscall.EEXIST, "group 3")
				expectErr(t, "putting what the kernel has", br.Put(0), syscall.EBUSY, "buffer 0")
				expectErr(t, "putting what does not exist", br.Put(4), syscall.EINVAL, "buffer 4 of 4")
				for i, data := range []string{"abcd", "efghijkl", "m", "nopq"} {
					send(t, w, data)
					c := r.readSelected(p, br, 0)
					id, ok := c.Buffer()
					expect(t, "id", [2]any{id, ok}, [2]any{uint16(i), true})
					expect(t, "data", string(br.Bytes(c)), data)
					expect(t, "buffer", string(br.Buffer(id)[:len(data)]), data)
				}
				available("all taken", 4, 0)
				send(t, w, "rs")
				expect(t, "without a buffer", r.readSelected(p, br, 0).Res, enobufs)
				expectErr(t, "put in another order", br.Put(2, 0), nil)
				available("two put back", 4, 2)
				for _, want := range []uint16{2, 0} {
					c := r.readSelected(p, br, 1)
					parts, done := br.Take(c)
					expect(t, "ids", cloned(done), []uint16{want})
					expect(t, "length", len(joined(parts)), 1)
				}
				expectErr(t, "one of several is with the kernel", br.Put(1, 2, 1, 3), syscall.EBUSY, "buffer 1")
				available("two of them were put", 6, 2)
				expectErr(t, "close", br.Close(), nil)
				expect(t, "after close", r.readSelected(p, br, 0).Res, enobufs)
				again, err := r.NewBufRing(3, 4, 8)
				expectErr(t, "the group again", err, nil)
				expectErr(t, "close it", again.Close(), nil)
			})
		})
	}
}

// TestBufRingIndices takes every buffer of a large ring several times round, in
// random order, so that positions pass 4096 (where 16 bits of byte offsets end) and
// 65536 (where the tail wraps).
func TestBufRingIndices(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		w, p := socketPair(t)
		const count, size = 8192, 8
		br := r.bufRing(uring.BufRingConfig{Group: 65535, Count: count, Size: size})
		rnd := rand.New(rand.NewPCG(1, 2))
		// order is what the kernel has, as it was put.
		order := make([]uint16, count)
		for i := range order {
			order[i] = uint16(i)
		}
		var mine []uint16
		const batch = 8
		var taken int
		for round := 0; taken < 70000; round++ {
			n := min(batch, len(order))
			var data strings.Builder
			for i := range n {
				fmt.Fprintf(&data, "%08x", taken+i)
			}
			send(t, w, data.String())
			for range n {
				s := r.sqe(1)
				s.PrepRead(p, nil, 0)
				s.Len, s.BufIndex, s.Flags = size, br.Group(), sys.IOSQE_BUFFER_SELECT
			}
			for i, c := range r.submit(n) {
				parts, done := br.Take(c)
				if got, want := joined(parts), fmt.Sprintf("%08x", taken+i); got != want || len(done) != 1 || done[0] != order[i] {
					t.Fatalf("completion %d: %q in buffers %v, want %q in %d", taken+i, got, done, want, order[i])
				}
				mine = append(mine, done[0])
			}
			order = order[n:]
			taken += n
			if len(order) < batch || rnd.IntN(64) == 0 {
				rnd.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
				if err := br.Put(mine...); err != nil {
					t.Fatal(err)
				}
				order = append(order, mine...)
				mine = mine[:0]
			}
		}
	})
}

func TestBufRingIncremental(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		w, p := socketPair(t)
		br := r.bufRing(uring.BufRingConfig{Group: 7, Count: 2, Size: 64, Incremental: true})
		take := func(data string, ids ...uint16) {
			t.Helper()
			send(t, w, data)
			c := r.readSelected(p, br, 0)
			if c.Res < 0 {
				t.Fatalf("reading %q: %v", data, syscall.Errno(-c.Res))
			}
			parts, done := br.Take(c)
			expect(t, "data", joined(parts), data)
			expect(t, "buffers used up by "+data, cloned(done), append([]uint16{}, ids...))
		}
		take("one")
		take(strings.Repeat("2", 20))
		expectErr(t, "putting a buffer that is being filled", br.Put(0), syscall.EBUSY)
		take(strings.Repeat("3", 41), 0)
		expect(t, "the buffer as a whole", string(br.Buffer(0)), "one"+strings.Repeat("2", 20)+strings.Repeat("3", 41))
		take("four")
		expectErr(t, "put", br.Put(0), nil)
		take(strings.Repeat("5", 60), 1)
		take("six")
		expect(t, "where six is", string(br.Buffer(0)[:3]), "six")
		take(strings.Repeat("7", 61), 0)
		send(t, w, "x")
		expect(t, "without a buffer", r.readSelected(p, br, 0).Res, enobufs)
	})
}

// TestBufRingIncrementalNothing: a completion that moved nothing leaves the buffer
// with the kernel, whatever flags it comes with.
func TestBufRingIncrementalNothing(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		w, p := socketPair(t)
		br := r.bufRing(uring.BufRingConfig{Count: 1, Size: 16, Incremental: true})
		send(t, w, "abc")
		parts, done := br.Take(r.readSelected(p, br, 0))
		expect(t, "data", joined(parts), "abc")
		expect(t, "used up", len(done), 0)
		qw, q := socketPair(t)
		unix.Close(qw)
		c := r.readSelected(q, br, 0)
		expect(t, "end of file", c.Res, 0)
		parts, done = br.Take(c)
		if len(parts) != 0 || len(done) != 0 {
			t.Errorf("an empty read (flags %v) gave %q and %v", c.Flags, parts, done)
		}
		send(t, w, strings.Repeat("d", 13))
		c = r.readSelected(p, br, 0)
		parts, done = br.Take(c)
		expect(t, "the rest of the buffer", joined(parts), strings.Repeat("d", 13))
		expect(t, "used up", cloned(done), []uint16{0})
		expect(t, "the buffer", string(br.Buffer(0)), "abc"+strings.Repeat("d", 13))
	})
}

func TestBufRingMinLeft(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		w, p := socketPair(t)
		br := r.bufRing(uring.BufRingConfig{Count: 2, Size: 64, Incremental: true, MinLeft: 16})
		for _, c := range []struct {
			data string
			done []uint16
		}{{strings.Repeat("a", 40), []uint16{}}, {strings.Repeat("b", 8), []uint16{}}, {"c", []uint16{0}}, {"d", []uint16{}}} {
			send(t, w, c.data)
			parts, done := br.Take(r.readSelected(p, br, 0))
			expect(t, "data", joined(parts), c.data)
			expect(t, "used up by "+c.data, cloned(done), c.done)
		}
	})
}

// socketPair returns two connected stream sockets. They can be read without a
// worker thread on every kernel, other than pipes: a worker before Linux 6.4 may
// take two buffers for one read.
func socketPair(t *testing.T) (int, int) {
	t.Helper()
	s, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s[0]); unix.Close(s[1]) })
	return s[0], s[1]
}

// recvBundle receives what is there into as many buffers as that takes.
func (r live) recvBundle(fd int, br *uring.BufRing) uring.CQE {
	r.t.Helper()
	s := r.sqe(1)
	s.PrepRecv(fd, nil, 0)
	s.BufIndex, s.Flags, s.Ioprio = br.Group(), sys.IOSQE_BUFFER_SELECT, sys.IORING_RECVSEND_BUNDLE
	return r.submit(1)[0]
}

// TestBufRingBundle: one completion spans several buffers, which lie in memory as
// they were put and not as they are numbered.
func TestBufRingBundle(t *testing.T) {
	for _, incremental := range []bool{false, true} {
		t.Run(fmt.Sprintf("incremental=%v", incremental), func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
				r := open(t, b, 0)
				if r.Params().Features&sys.IORING_FEAT_RECVSEND_BUNDLE == 0 {
					t.Skip("this kernel has no bundles (Linux 6.10)")
				}
				br := r.bufRing(uring.BufRingConfig{Count: 8, Size: 16, Empty: true, Incremental: incremental})
				expectErr(t, "put", br.Put(5, 2, 7, 0, 1, 6), nil)
				x, y := socketPair(t)
				send(t, x, strings.Repeat("a", 16)+strings.Repeat("b", 16)+strings.Repeat("c", 8))
				// A first receive may take fewer buffers than there is data for.
				var data string
				var used []uint16
				pieces := 0
				for len(data) < 40 {
					parts, done := br.Take(r.recvBundle(y, br))
					data += joined(parts)
					pieces += len(parts)
					used = append(used, done...)
					if len(parts) == 0 {
						t.Fatal("a completion without data")
					}
				}
				expect(t, "pieces", pieces, 3)
				expect(t, "data", data, strings.Repeat("a", 16)+strings.Repeat("b", 16)+strings.Repeat("c", 8))
				all := []uint16{5, 2, 7}
				if incremental {
					all = []uint16{5, 2} // there is room in 7
				}
				expect(t, "used up", used, all)
				expect(t, "the second buffer", string(br.Buffer(2)), strings.Repeat("b", 16))
				expectErr(t, "put", br.Put(used...), nil)

				send(t, x, strings.Repeat("d", 20))
				var all20 []byte
				for len(all20) < 20 {
					d := br.Bytes(r.recvBundle(y, br))
					if len(d) == 0 {
						t.Fatal("a completion without data")
					}
					all20 = append(all20, d...)
				}
				expect(t, "data, each in one piece", string(all20), strings.Repeat("d", 20))
				if incremental {
					// 8 bytes were left in buffer 7, and 12 went into 0.
					expect(t, "the end of 7", string(br.Buffer(7)[8:]), strings.Repeat("d", 8))
					expect(t, "the start of 0", string(br.Buffer(0)[:12]), strings.Repeat("d", 12))
				}
			})
		})
	}
}

// TestBufRingRandomBundles sends random amounts through rings of buffers and checks
// every byte.
func TestBufRingRandomBundles(t *testing.T) {
	for _, incremental := range []bool{false, true} {
		t.Run(fmt.Sprintf("incremental=%v", incremental), func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
				r := open(t, b, 0)
				if r.Params().Features&sys.IORING_FEAT_RECVSEND_BUNDLE == 0 {
					t.Skip("this kernel has no bundles (Linux 6.10)")
				}
				br := r.bufRing(uring.BufRingConfig{Count: 16, Size: 32, Incremental: incremental})
				x, y := socketPair(t)
				rnd := rand.New(rand.NewPCG(3, 4))
				var sent, got byte
				var mine []uint16
				for range 3000 {
					data := make([]byte, 1+rnd.IntN(200))
					for i := range data {
						data[i] = sent
						sent++
					}
					send(t, x, string(data))
					for left := len(data); left > 0; {
						c := r.recvBundle(y, br)
						if c.Res == enobufs {
							rnd.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
							if err := br.Put(mine...); err != nil || len(mine) == 0 {
								t.Fatalf("no buffers, and %d to put: %v", len(mine), err)
							}
							mine = mine[:0]
							continue
						}
						if c.Res <= 0 {
							t.Fatalf("receiving: %+v", c)
						}
						parts, done := br.Take(c)
						n := 0
						for _, p := range parts {
							for _, v := range p {
								if v != got {
									t.Fatalf("byte %d of %v is %d, want %d", n, c, v, got)
								}
								got++
								n++
							}
						}
						if n != int(c.Res) {
							t.Fatalf("%d bytes in pieces of %+v", n, c)
						}
						left -= n
						mine = append(mine, done...)
						if k := rnd.IntN(4 + len(mine)); k < len(mine) {
							if err := br.Put(mine[k]); err != nil {
								t.Fatal(err)
							}
							mine = slices.Delete(mine, k, k+1)
						}
					}
				}
			})
		})
	}
}

// TestBufRingSend sends from buffers, a bundle of them in one request.
func TestBufRingSend(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		if r.Params().Features&sys.IORING_FEAT_RECVSEND_BUNDLE == 0 {
			t.Skip("this kernel has no bundles (Linux 6.10)")
		}
		br := r.bufRing(uring.BufRingConfig{Count: 4, Size: 16, Empty: true})
		expectErr(t, "0 bytes", br.PutLen(0, 0), syscall.EINVAL, "0 bytes")
		expectErr(t, "too many", br.PutLen(0, 17), syscall.EINVAL, "17 bytes")
		for i, data := range []string{"hello, ", "wor", "ld!"} {
			id := uint16(2 - i)
			expectErr(t, "put", br.PutLen(id, copy(br.Buffer(id), data)), nil)
		}
		x, y := socketPair(t)
		s := r.sqe(1)
		s.PrepSendBundle(x, 0, 0)
		s.BufIndex, s.Flags = br.Group(), sys.IOSQE_BUFFER_SELECT
		c := r.submit(1)[0]
		parts, done := br.Take(c)
		expect(t, "sent", joined(parts), "hello, world!")
		expect(t, "free again", cloned(done), []uint16{2, 1, 0})
		got := make([]byte, 32)
		n, err := unix.Read(y, got)
		expectErr(t, "read", err, nil)
		expect(t, "received", string(got[:n]), "hello, world!")
	})
}

// TestBufRingMultishot keeps a multishot receive going while buffers go round.
func TestBufRingMultishot(t *testing.T) {
	backendtest.EachMode(t, func(t *testing.T, b backendtest.Backend, m backendtest.Mode) {
		r := open(t, b, m.Flags)
		needOps(t, r.Ring, sys.IORING_OP_SEND_ZC) // as old as multishot receive
		br := r.bufRing(uring.BufRingConfig{Group: 1, Count: 4, Size: 8})
		x, y := socketPair(t)
		s := r.sqe(5)
		s.PrepRecvMultishot(y, nil, 0)
		s.BufIndex, s.Flags = br.Group(), sys.IOSQE_BUFFER_SELECT
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			data := fmt.Sprintf("%07d.", i)
			send(t, x, data)
			c := r.reap(1)[0]
			if !c.More() {
				t.Fatalf("message %d ended it: %+v", i, c)
			}
			expect(t, "data", string(br.Bytes(c)), data)
			id, _ := c.Buffer()
			if err := br.Put(id); err != nil {
				t.Fatal(err)
			}
		}
		// Without buffers it ends.
		for range 5 {
			send(t, x, strings.Repeat("z", 8))
		}
		cs := r.reap(5)
		expect(t, "the completion that ends it", cs[4], uring.CQE{UserData: 5, Res: enobufs})
	}, "plain", "defer", "sqpoll")
}
