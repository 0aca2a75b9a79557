package uring

// Memory regions: memory that a ring and the kernel share beside the queues. So
// far the kernel uses them for one thing, the arguments of waits.

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/uring-go/uring/sys"
)

// RegisterMemRegion shares memory with the kernel for as long as the ring lives; a
// ring has at most one such region. With IORING_MEM_REGION_TYPE_USER in desc.Flags
// it is the caller's memory at desc.UserAddr: page aligned, not Go heap memory, and
// mapped until the ring is closed. Else the kernel makes it, and desc.MmapOffset is
// where to map it from the ring's descriptor. desc.Size is in bytes, whole pages.
// flags are IORING_MEM_REGION_ bits for what the region is for. NewWaitRegion does
// all of it for waits.
//
// It is EBUSY if the ring has a region.
//
// liburing: io_uring_register_region   kernel: 6.13
func (r *Ring) RegisterMemRegion(desc *sys.RegionDesc, flags uint64) error {
	if err := r.usable(); err != nil {
		return err
	}
	if desc == nil {
		return refuse("RegisterMemRegion", "no description")
	}
	d := []sys.RegionDesc{*desc}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := &sys.MemRegionReg{RegionUptr: addressIn(&pin, d), Flags: flags}
	_, err := r.register(sys.IORING_REGISTER_MEM_REGION, sys.PointerTo(arg), 1)
	*desc = d[0]
	return explain(err, syscall.EBUSY, "the ring has a memory region already")
}

// A WaitRegion holds waits in memory that the kernel reads by itself, which saves
// it copying their arguments in at each call. It lives until the ring is closed.
type WaitRegion struct {
	r     *Ring
	waits []sys.RegWait
	masks []sys.Sigset
}

// NewWaitRegion makes room for n waits, all of them without a deadline. The ring
// must have been made with IORING_SETUP_R_DISABLED and not be enabled yet. It takes
// the ring's only memory region.
//
// liburing: io_uring_register_region, with IORING_MEM_REGION_REG_WAIT_ARG
// kernel: 6.13
func (r *Ring) NewWaitRegion(n int) (*WaitRegion, error) {
	const method, most = "NewWaitRegion", 1 << 20
	if err := r.usable(); err != nil {
		return nil, err
	}
	if n <= 0 || n > most {
		return nil, refuse(method, "%d waits; a region has 1 to %d", n, most)
	}
	if r.b.Params().Flags&sys.IORING_SETUP_R_DISABLED == 0 {
		return nil, refuse(method, "the ring must be made with IORING_SETUP_R_DISABLED, and enabled afterwards")
	}
	// The signal masks are behind the waits and no part of the region: the waits
	// point to them.
	size := pages(n * int(sizeOf[sys.RegWait]()))
	mem, err := mapMemory(size + n*int(sizeOf[sys.Sigset]()))
	if err != nil {
		return nil, err
	}
	desc := &sys.RegionDesc{UserAddr: mappedAt(mem), Size: uint64(size), Flags: sys.IORING_MEM_REGION_TYPE_USER}
	if err := r.RegisterMemRegion(desc, sys.IORING_MEM_REGION_REG_WAIT_ARG); err != nil {
		unmapMemory(mem)
		return nil, explain(err, syscall.EINVAL, "registered waits; the ring must not be enabled yet")
	}
	r.reg.maps = append(r.reg.maps, mem)
	r.reg.waits = &WaitRegion{r: r, waits: view[sys.RegWait](mem, 0, n), masks: view[sys.Sigset](mem, size, n)}
	return r.reg.waits, nil
}

// Len returns the number of waits, 0 after the ring was closed.
func (g *WaitRegion) Len() int {
	if g == nil || g.r.reg.closed {
		return 0
	}
	return len(g.waits)
}

// Set makes wait i what w says: its Timeout, MinTimeout and Sigmask count, the rest
// must be zero. No wait with it may be going on.
func (g *WaitRegion) Set(i int, w Wait) error {
	const method = "WaitRegion.Set"
	switch {
	case g == nil:
		return os.ErrInvalid
	case g.r.reg.closed:
		return os.ErrClosed
	case i < 0 || i >= len(g.waits):
		return refuse(method, "wait %d of %d", i, len(g.waits))
	case w.N != 0 || w.Reg != 0 || w.Flags != 0:
		return refuse(method, "a wait with N, Reg or Flags, which are given when waiting")
	}
	if err := w.Check(g.r.b.Params().Features); err != nil {
		return fmt.Errorf("uring: %s: %w", method, err)
	}
	arg := sys.RegWait{MinWaitUsec: w.MinMicroseconds()}
	if w.Timeout > 0 {
		arg.Flags = sys.IORING_REG_WAIT_TS
		arg.Ts = timespec(w.Timeout)
	}
	if w.Sigmask != nil {
		g.masks[i] = *w.Sigmask
		arg.Sigmask, arg.SigmaskSz = mappedAt(g.masks[i:]), sizeOf[sys.Sigset]()
	}
	g.waits[i] = arg
	return nil
}

// Wait returns what to give to SubmitWait or Wait to wait for n completions as
// wait i says.
func (g *WaitRegion) Wait(i int, n uint32) Wait {
	if i < 0 || i > math.MaxInt32 {
		i = math.MaxInt32 // which Check lets through, and the kernel refuses
	}
	return Wait{N: n, Reg: uint32(i), Flags: sys.IORING_ENTER_EXT_ARG_REG}
}

// plain returns a registered wait with the values that it is registered with in
// place of the registration, so that what is left of it after a signal can be
// waited for. It is w itself if the ring does not know the values.
func (g *registrations) plain(w Wait) Wait {
	if g.closed || g.waits == nil || w.Flags&sys.IORING_ENTER_EXT_ARG_REG == 0 || int(w.Reg) >= len(g.waits.waits) {
		return w
	}
	at := &g.waits.waits[w.Reg]
	w.Flags &^= sys.IORING_ENTER_EXT_ARG_REG
	w.MinTimeout = time.Duration(at.MinWaitUsec) * time.Microsecond
	if at.Flags&sys.IORING_REG_WAIT_TS != 0 {
		w.Timeout = time.Duration(at.Ts.Sec)*time.Second + time.Duration(at.Ts.Nsec)
	}
	if at.SigmaskSz != 0 {
		mask := g.waits.masks[w.Reg]
		w.Sigmask = &mask
	}
	w.Reg = 0
	return w
}
