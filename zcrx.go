package uring

// Zero-copy receive: a network card writes packets' payload straight into memory
// that the process sees, and completions say where it is. It needs a card that
// separates headers from payload and a receive queue of its own for the ring; the
// interface's steering has to lead connections there.
//
// Two areas of memory belong to it: one for data, and a queue in which data that was
// used is given back to the card.

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// RegisterZCRX is the registration of zero-copy receive as the kernel has it: area
// and region describe memory that stays mapped until the ring is closed, and the
// kernel completes all of them. event may be nil. The fields of reg that point to
// them are filled in here. NewZCRX does it all for the common case.
//
// It is EPERM without CAP_NET_ADMIN, EINVAL on a ring without
// IORING_SETUP_DEFER_TASKRUN and IORING_SETUP_CQE32 (or IORING_SETUP_CQE_MIXED, Linux
// 6.19), ENODEV if there is no such interface, EOPNOTSUPP if it cannot do it.
//
// liburing: io_uring_register_ifq   kernel: 6.15
func (r *Ring) RegisterZCRX(reg *sys.ZCRXIfqReg, area *sys.ZCRXAreaReg, region *sys.RegionDesc, event *sys.ZCRXEventDesc) error {
	if err := r.usable(); err != nil {
		return err
	}
	if reg == nil {
		return refuse("RegisterZCRX", "no description")
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	arg := *reg
	var areas []sys.ZCRXAreaReg
	if area != nil {
		areas = append(areas, *area)
		arg.AreaPtr = addressIn(&pin, areas)
	}
	var regions []sys.RegionDesc
	if region != nil {
		regions = append(regions, *region)
		arg.RegionPtr = addressIn(&pin, regions)
	}
	if event != nil {
		arg.EventDesc = addressIn(&pin, []sys.ZCRXEventDesc{*event})
	}
	if _, err := r.register(sys.IORING_REGISTER_ZCRX_IFQ, sys.PointerTo(&arg), 1); err != nil {
		return explain(err, syscall.EPERM, "zero-copy receive needs CAP_NET_ADMIN")
	}
	arg.AreaPtr, arg.RegionPtr, arg.EventDesc = 0, 0, 0
	*reg = arg
	if area != nil {
		*area = areas[0]
	}
	if region != nil {
		*region = regions[0]
	}
	return nil
}

// ZCRXCtrl is an operation on a zero-copy receive instance, ctrl.Op, which may
// write its answer to ctrl. It is ENXIO if there is no instance ctrl.ZCRXID and
// EOPNOTSUPP for an operation that the kernel does not know.
//
// liburing: io_uring_register_zcrx_ctrl   kernel: 6.19
func (r *Ring) ZCRXCtrl(ctrl *sys.ZCRXCtrl) error {
	if err := r.usable(); err != nil {
		return err
	}
	if ctrl == nil {
		return refuse("ZCRXCtrl", "no operation")
	}
	_, err := r.register(sys.IORING_REGISTER_ZCRX_CTRL, sys.PointerTo(ctrl), 0)
	return explain(err, syscall.ENXIO, "the ring has no zero-copy receive instance %d", ctrl.ZCRXID)
}

// ZCRXConfig says where zero-copy receive takes its data from.
type ZCRXConfig struct {
	// Interface is the index of a network interface (net.Interface.Index), Queue the
	// number of one of its receive queues.
	Interface int
	Queue     uint32
	// NoDevice makes an instance that belongs to no card and to which everything is
	// copied (Linux 7.1). Interface and Queue are then 0.
	NoDevice bool
	// AreaSize is the memory for data in bytes, rounded up to pages. It counts
	// against RLIMIT_MEMLOCK.
	AreaSize int
	// Entries is the size of the queue in which data is given back, a power of two up
	// to 32768.
	Entries int
	// BufLen is the size of the pieces in which the card fills the area, a power of
	// two; 0 is a page (others: Linux 7.0).
	BufLen uint32
}

// ZCRX is an instance of zero-copy receive. It is used by one goroutine at a time,
// and lives until its Ring is closed: then the memory that Bytes returned is gone.
type ZCRX struct {
	r     *Ring
	id    uint32
	area  []byte
	token uint64

	head, tail *atomic.Uint32
	rqes       []sys.ZCRXRQE
	local      uint32 // the tail
}

// NewZCRX makes an instance of zero-copy receive. What RegisterZCRX needs, it needs.
//
// liburing: io_uring_register_ifq   kernel: 6.15
func (r *Ring) NewZCRX(cfg ZCRXConfig) (*ZCRX, error) {
	const method = "NewZCRX"
	if err := r.usable(); err != nil {
		return nil, err
	}
	switch {
	case cfg.Interface < 0 || cfg.Interface > math.MaxInt32:
		return nil, refuse(method, "interface %d", cfg.Interface)
	case cfg.NoDevice && (cfg.Interface != 0 || cfg.Queue != 0):
		return nil, refuse(method, "NoDevice together with interface %d and queue %d", cfg.Interface, cfg.Queue)
	case cfg.AreaSize < 1 || cfg.AreaSize > math.MaxInt-1<<20:
		return nil, refuse(method, "an area of %d bytes", cfg.AreaSize)
	case cfg.Entries < 1 || cfg.Entries > 1<<15 || bits.OnesCount(uint(cfg.Entries)) != 1:
		return nil, refuse(method, "%d entries; there is a power of two of them, 1 to 32768", cfg.Entries)
	}
	area, err := mapMemory(cfg.AreaSize)
	if err != nil {
		return nil, err
	}
	// The kernel's header before the entries is far below a page.
	queue, err := mapMemory(pages(cfg.Entries*int(sizeOf[sys.ZCRXRQE]())) + pages(1))
	if err != nil {
		unmapMemory(area)
		return nil, err
	}
	reg := &sys.ZCRXIfqReg{IfIdx: uint32(cfg.Interface), IfRxq: cfg.Queue, RQEntries: uint32(cfg.Entries), RxBufLen: cfg.BufLen}
	if cfg.NoDevice {
		reg.Flags = sys.ZCRX_REG_NODEV
	}
	where := &sys.ZCRXAreaReg{Addr: mappedAt(area), Len: uint64(len(area))}
	region := &sys.RegionDesc{UserAddr: mappedAt(queue), Size: uint64(len(queue)), Flags: sys.IORING_MEM_REGION_TYPE_USER}
	if err := r.RegisterZCRX(reg, where, region, nil); err != nil {
		unmapMemory(area)
		unmapMemory(queue)
		return nil, err
	}
	r.reg.maps = append(r.reg.maps, area, queue)
	o, size := reg.Offsets, uint64(len(queue))
	if max(uint64(o.Head), uint64(o.Tail))+4 > size || uint64(o.RQEs)+uint64(reg.RQEntries)*uint64(sizeOf[sys.ZCRXRQE]()) > size || (o.Head|o.Tail)%4 != 0 || o.RQEs%8 != 0 {
		return nil, fmt.Errorf("uring: the kernel put the refill queue at offsets %d, %d and %d of %d bytes", o.Head, o.Tail, o.RQEs, size)
	}
	z := &ZCRX{
		r:     r,
		id:    reg.ZCRXID,
		area:  area,
		token: where.RQAreaToken,
		head:  wordAt(queue, o.Head),
		tail:  wordAt(queue, o.Tail),
		rqes:  view[sys.ZCRXRQE](queue, int(o.RQEs), int(reg.RQEntries)),
	}
	z.local = z.tail.Load()
	return z, nil
}

// ID returns the instance's number, which SQE.PrepRecvZC takes.
func (z *ZCRX) ID() uint32 { return z.id }

// Bytes returns the data that a completion of PrepRecvZC tells of, nil if it tells of
// none or of another area's. It is valid until Put.
func (z *ZCRX) Bytes(c CQE32) []byte {
	if z.r.reg.closed || c.Res <= 0 || c.Extra[0]&sys.IORING_ZCRX_AREA_MASK != z.token {
		return nil
	}
	at := c.Extra[0] &^ sys.IORING_ZCRX_AREA_MASK
	if at+uint64(c.Res) > uint64(len(z.area)) {
		return nil
	}
	return z.area[at : at+uint64(c.Res) : at+uint64(c.Res)]
}

// Put gives the memory of completions' data back. It returns how many it took: when
// the queue is full, fewer than there are.
func (z *ZCRX) Put(cs ...CQE32) (int, error) {
	if z.r.reg.closed {
		return 0, os.ErrClosed
	}
	free := len(z.rqes) - int(z.local-z.head.Load())
	n := 0
	for ; n < len(cs) && n < free; n++ {
		at := cs[n].Extra[0] &^ sys.IORING_ZCRX_AREA_MASK
		z.rqes[z.local&uint32(len(z.rqes)-1)] = sys.ZCRXRQE{Off: at | z.token, Len: uint32(max(0, cs[n].Res))}
		z.local++
	}
	if n > 0 {
		z.tail.Store(z.local)
	}
	return n, nil
}

// Flush has the kernel take everything out of the queue in which memory is given
// back, which it does by itself only when the card wants memory.
//
// kernel: 6.19
func (z *ZCRX) Flush() error {
	return z.r.ZCRXCtrl(&sys.ZCRXCtrl{ZCRXID: z.id, Op: sys.ZCRX_CTRL_FLUSH_RQ})
}

// Export returns a descriptor that stands for the instance; RegisterZCRX of another
// ring takes it with ZCRX_REG_IMPORT.
//
// kernel: 6.19
func (z *ZCRX) Export() (fd int, err error) {
	ctrl := &sys.ZCRXCtrl{ZCRXID: z.id, Op: sys.ZCRX_CTRL_EXPORT}
	if err := z.r.ZCRXCtrl(ctrl); err != nil {
		return -1, err
	}
	return int(ctrl.ZCExport().ZCRXFd), nil
}
