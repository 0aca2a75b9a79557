//go:build linux

package uring_test

import (
	"bytes"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

// writeFixed writes n bytes from an offset in registered buffer index to the start
// of a file and returns the result.
func (r live) writeFixed(fd int, buf []byte, index int) int32 {
	r.t.Helper()
	r.sqe(99).PrepWriteFixed(fd, buf, 0, index)
	return r.submit(1)[0].Res
}

func (r live) readFixed(fd int, buf []byte, index int) int32 {
	r.t.Helper()
	r.sqe(99).PrepReadFixed(fd, buf, 0, index)
	return r.submit(1)[0].Res
}

const efault = -int32(syscall.EFAULT)

func TestRegisterBuffers(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		f := tempFile(t, "")
		fd := int(f.Fd())
		one, two := bytes.Repeat([]byte("1"), 4096), make([]byte, 8192)
		expectErr(t, "register", r.RegisterBuffers([][]byte{one, two}), nil)
		expectErr(t, "again", r.RegisterBuffers([][]byte{one}), syscall.EBUSY, "already")
		expect(t, "write from 0", r.writeFixed(fd, one[:5], 0), 5)
		expect(t, "read into the middle of 1", r.readFixed(fd, two[100:105], 1), 5)
		expect(t, "what was read", string(two[99:106]), "\x0011111\x00")
		expect(t, "a range of another buffer", r.readFixed(fd, two[:5], 0), efault)
		expect(t, "index outside", r.readFixed(fd, two[:5], 2), efault)
		expectErr(t, "unregister", r.UnregisterBuffers(), nil)
		expectErr(t, "unregister again", r.UnregisterBuffers(), syscall.ENXIO, "no table")
		expect(t, "after unregister", r.readFixed(fd, two[:5], 1), efault)
		runtime.KeepAlive(one)
	})
}

// TestRegisterBuffersPins: buffers that nothing but the registration refers to stay
// where they are, and are let go of with their slot.
func TestRegisterBuffersPins(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_BUFFERS2, 32)
		freed := make(chan string, 8)
		buffer := func(name string) []byte {
			b := make([]byte, 4096)
			runtime.AddCleanup(&b[0], func(name string) { freed <- name }, name)
			return b
		}
		// collect returns what the garbage collector freed, waiting for n.
		collect := func(n int) map[string]bool {
			got := map[string]bool{}
			for range 20 {
				runtime.GC()
				for len(freed) > 0 {
					got[<-freed] = true
				}
				if len(got) >= n && n > 0 {
					break
				}
				runtime.Gosched()
			}
			return got
		}
		expectErr(t, "register", r.RegisterBuffers([][]byte{buffer("a"), buffer("b"), nil}), nil)
		expect(t, "freed while registered", collect(0), map[string]bool{})
		n, err := r.UpdateBuffers(1, [][]byte{buffer("c"), buffer("d")}, nil)
		expectErr(t, "update", err, nil)
		expect(t, "updated", n, 2)
		expect(t, "freed by the update", collect(1), map[string]bool{"b": true})
		n, err = r.UpdateBuffers(2, [][]byte{nil}, nil)
		expectErr(t, "emptying", err, nil)
		expect(t, "emptied", n, 1)
		expect(t, "freed by emptying", collect(1), map[string]bool{"d": true})
		expectErr(t, "a refused registration", r.RegisterBuffers([][]byte{buffer("e")}), syscall.EBUSY)
		expect(t, "freed after the refusal", collect(1), map[string]bool{"e": true})
		if knowsRegister(r.Fd(), sys.IORING_REGISTER_CLONE_BUFFERS, 1) {
			other := open(t, b, 0)
			expectErr(t, "clone", other.CloneBuffers(r.Ring, uring.BufferClone{}), nil)
			expectErr(t, "unregister the original", r.UnregisterBuffers(), nil)
			expect(t, "freed while cloned", collect(0), map[string]bool{})
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		} else if err := r.Close(); err != nil {
			t.Error(err)
		}
		expect(t, "freed by Close", collect(2), map[string]bool{"a": true, "c": true})
	})
}

func TestRegisterBuffersTagged(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		needRegister(t, r.Fd(), sys.IORING_REGISTER_BUFFERS2, 32)
		bufs := [][]byte{make([]byte, 64), make([]byte, 64), make([]byte, 64)}
		expectErr(t, "register", r.RegisterBuffersTagged(bufs, []uint64{100, 0, 102}), nil)
		r.idle()
		n, err := r.UpdateBuffers(0, bufs[:2], []uint64{200, 201})
		expectErr(t, "update", err, nil)
		expect(t, "updated", n, 2)
		expect(t, "tags of what was replaced", r.reap(1), []uring.CQE{{UserData: 100}})
		r.idle()
		expectErr(t, "unregister", r.UnregisterBuffers(), nil)
		if has613(r) {
			expect(t, "the other tags", sorted(r.reap(3)), []uring.CQE{{UserData: 102}, {UserData: 200}, {UserData: 201}})
		}
		r.idle()
	})
}

func TestRegisterBuffersSparse(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, 0)
		f := tempFile(t, "sparse")
		fd := int(f.Fd())
		if !has519(r) {
			t.Skip("this kernel has no sparse tables (Linux 5.19)")
		}
		expectErr(t, "register", r.RegisterBuffersSparse(4), nil)
		buf := make([]byte, 64)
		expect(t, "an empty slot", r.readFixed(fd, buf[:6], 1), efault)
		n, err := r.UpdateBuffers(1, [][]byte{buf}, []uint64{555})
		expectErr(t, "fill", err, nil)
		expect(t, "filled", n, 1)
		expect(t, "a filled slot", r.readFixed(fd, buf[:6], 1), 6)
		expect(t, "what was read", string(buf[:6]), "sparse")
		_, err = r.UpdateBuffers(4, [][]byte{buf}, nil)
		expectErr(t, "past the end", err, syscall.EINVAL, "buffers 4 to 4")
		// The second of two is refused, the first stands.
		n, err = r.UpdateBuffers(2, [][]byte{buf, nil}, []uint64{7, 8})
		expectErr(t, "half an update", err, nil)
		expect(t, "half updated", n, 1)
		expect(t, "the half that stands", r.readFixed(fd, buf[:6], 2), 6)
		expect(t, "the half that does not", r.readFixed(fd, buf[:6], 3), efault)
		expectErr(t, "unregister", r.UnregisterBuffers(), nil)
		if has613(r) {
			expect(t, "tags", sorted(r.reap(2)), []uring.CQE{{UserData: 7}, {UserData: 555}})
		}
	})
}

func TestCloneBuffers(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		src, dst := open(t, b, 0), open(t, b, 0)
		needRegister(t, src.Fd(), sys.IORING_REGISTER_CLONE_BUFFERS, 1)
		f := tempFile(t, "0123456789")
		fd := int(f.Fd())
		bufs := [][]byte{make([]byte, 64), make([]byte, 64), make([]byte, 64)}
		expectErr(t, "nothing to clone", dst.CloneBuffers(src.Ring, uring.BufferClone{}), syscall.ENXIO, "source")
		if err := src.RegisterBuffers(bufs); err != nil {
			t.Fatal(err)
		}
		expectErr(t, "clone", dst.CloneBuffers(src.Ring, uring.BufferClone{}), nil)
		for i, buf := range bufs {
			expect(t, "read into a clone", dst.readFixed(fd, buf[:i+1], i), int32(i+1))
			expect(t, "what was read", string(buf[:i+1]), "0123456789"[:i+1])
		}
		expectErr(t, "again", dst.CloneBuffers(src.Ring, uring.BufferClone{}), syscall.EBUSY, "already")
		err := dst.CloneBuffers(src.Ring, uring.BufferClone{From: 2, To: 0, Count: 1, Replace: true})
		if !has613(src) {
			expectErr(t, "replacing", err, syscall.EBUSY, "Linux 6.13")
			t.Skip("this kernel clones whole tables only (Linux 6.13)")
		}
		expectErr(t, "replacing", err, nil)
		expect(t, "the replaced slot", dst.readFixed(fd, bufs[2][:4], 0), 4)
		expect(t, "what was there before", dst.readFixed(fd, bufs[0][:4], 0), efault)
		expect(t, "a slot beside it", dst.readFixed(fd, bufs[1][:4], 1), 4)
		expectErr(t, "growing", dst.CloneBuffers(src.Ring, uring.BufferClone{From: 1, To: 5, Replace: true}), nil)
		expect(t, "a slot grown", dst.readFixed(fd, bufs[2][:4], 6), 4)
		expectErr(t, "too far", dst.CloneBuffers(src.Ring, uring.BufferClone{From: 2, Count: 2, Replace: true}), syscall.EOVERFLOW, "2 buffers from index 2", "table of 3")
		expectErr(t, "within a ring", src.CloneBuffers(src.Ring, uring.BufferClone{From: 0, To: 3, Count: 2, Replace: true}), nil)
		expect(t, "a slot of its own", src.readFixed(fd, bufs[1][:4], 4), 4)
		if err := src.Close(); err != nil {
			t.Fatal(err)
		}
		expect(t, "after the source was closed", dst.readFixed(fd, bufs[1][:4], 1), 4)
		expectErr(t, "from a closed ring", dst.CloneBuffers(src.Ring, uring.BufferClone{}), os.ErrClosed, "source")
	})
}
