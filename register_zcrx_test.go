//go:build linux

package uring_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/backendtest"
	"github.com/uring-go/uring/sys"
)

const zcrxRing = deferred | sys.IORING_SETUP_CQE32

// needZCRX skips the test unless the kernel lets this process try zero-copy receive.
func needZCRX(t *testing.T, r live) {
	t.Helper()
	err := r.RegisterZCRX(&sys.ZCRXIfqReg{IfIdx: 1 << 30, RQEntries: 8}, &sys.ZCRXAreaReg{}, &sys.RegionDesc{}, nil)
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip(err)
	case !knowsRegister(r.Fd(), sys.IORING_REGISTER_ZCRX_IFQ, 1):
		t.Skipf("this kernel has no zero-copy receive (Linux %s)", sys.IORING_REGISTER_ZCRX_IFQ.Since())
	}
}

func TestNewZCRX(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, zcrxRing)
		needZCRX(t, r)
		cfg := uring.ZCRXConfig{Interface: 1 << 30, AreaSize: 1 << 16, Entries: 16}
		before := mappings(t)
		_, err := r.NewZCRX(cfg)
		expectErr(t, "an interface that does not exist", err, syscall.ENODEV)
		cfg.Interface = 1 // the loopback interface is no card
		_, err = r.NewZCRX(cfg)
		expectErr(t, "loopback", err, syscall.EOPNOTSUPP)
		expect(t, "mappings left behind", mappings(t)-before, 0)
		plain := open(t, b, 0)
		_, err = plain.NewZCRX(cfg)
		expectErr(t, "a plain ring", err, syscall.EINVAL)
		expectErr(t, "no area", r.RegisterZCRX(&sys.ZCRXIfqReg{IfIdx: 1, RQEntries: 8}, nil, nil, nil), syscall.EFAULT)
		if knowsRegister(r.Fd(), sys.IORING_REGISTER_ZCRX_CTRL, 0) {
			expectErr(t, "control of nothing", r.ZCRXCtrl(&sys.ZCRXCtrl{ZCRXID: 9}), syscall.ENXIO, "instance 9")
		}
	})
}

// TestZCRXNoDevice receives through an instance without a card: the kernel copies,
// and everything else is as with one.
func TestZCRXNoDevice(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b backendtest.Backend) {
		r := open(t, b, zcrxRing)
		needZCRX(t, r)
		if q, err := uring.QueryZCRXWith(ringless(b)); err != nil || q.RegisterFlags&sys.ZCRX_REG_NODEV == 0 {
			t.Skip("this kernel has no zero-copy receive without a device (Linux 7.1)")
		}
		z, err := r.NewZCRX(uring.ZCRXConfig{NoDevice: true, AreaSize: 16 * os.Getpagesize(), Entries: 16})
		if err != nil {
			t.Fatal(err)
		}
		x, y := tcpPair(t)
		r.sqe(3).PrepRecvZC(y, 0, 0, z.ID())
		if _, err := r.Submit(); err != nil {
			t.Fatal(err)
		}
		// Many times more than the area holds.
		var sent, got strings.Builder
		for i := range 400 {
			data := strings.Repeat(string(rune('a'+i%26)), 1000)
			sent.WriteString(data)
			send(t, x, data)
			for got.Len() < sent.Len() {
				var cs [8]uring.CQE32
				if err := r.Wait(uring.Wait{N: 1, Timeout: 10 * time.Second}); err != nil {
					t.Fatalf("after %d of %d bytes: %v", got.Len(), sent.Len(), err)
				}
				n := r.Peek32(cs[:])
				for _, c := range cs[:n] {
					data := z.Bytes(c)
					if len(data) != int(c.Res) || c.Res <= 0 || !c.More() {
						t.Fatalf("after %d bytes: %+v with %d bytes", got.Len(), c, len(data))
					}
					got.Write(data)
				}
				k, err := z.Put(cs[:n]...)
				expectErr(t, "Put", err, nil)
				expect(t, "put", k, n)
				// Nobody wants memory by itself here.
				expectErr(t, "Flush", z.Flush(), nil)
			}
		}
		expect(t, "received", got.String() == sent.String(), true)
		fd, err := z.Export()
		expectErr(t, "Export", err, nil)
		defer unix.Close(fd)
		other := open(t, b, zcrxRing)
		imported := &sys.ZCRXIfqReg{IfIdx: uint32(fd), Flags: sys.ZCRX_REG_IMPORT}
		expectErr(t, "import", other.RegisterZCRX(imported, nil, nil, nil), nil)
		expectErr(t, "control of what was imported", other.ZCRXCtrl(&sys.ZCRXCtrl{ZCRXID: imported.ZCRXID, Op: sys.ZCRX_CTRL_FLUSH_RQ}), nil)
		expectErr(t, "an unknown operation", r.ZCRXCtrl(&sys.ZCRXCtrl{ZCRXID: z.ID(), Op: 99}), syscall.EOPNOTSUPP)
		if n, err := r.SyncCancel(uring.MatchAny(), 0); n != 1 || err != nil {
			t.Errorf("cancelling the receive: %d, %v", n, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = z.Put(uring.CQE32{})
		expectErr(t, "Put on a closed ring", err, os.ErrClosed)
		expect(t, "Bytes on a closed ring", z.Bytes(uring.CQE32{CQE: uring.CQE{Res: 1}}), nil)
	})
}
