package purego

// From parameters to a mapped ring, and back. Every failed step releases what
// the steps before it made.

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// New creates a ring of at least entries submission queue entries. p may be
// nil; on return it holds what the kernel answered.
//
// Like liburing it first asks for a ring without an index array
// (IORING_SETUP_NO_SQARRAY, Linux 6.6), which is a little faster, and does
// without that flag if the kernel does not know it and the caller did not ask.
//
// Errors are an *os.SyscallError of io_uring_setup or mmap, or a sentence with
// syscall.EINVAL inside for what is wrong on every kernel.
func New(entries uint32, p *sys.Params) (*Ring, error) {
	return open(entries, p, nil)
}

// NewMem is New for a ring whose queues lie in the caller's memory
// (IORING_SETUP_NO_MMAP, Linux 6.5), as io_uring_queue_init_mem does it. mem
// must be page aligned, must not be Go heap memory, and must stay mapped until
// the ring is closed. used is how much of it the ring takes.
func NewMem(entries uint32, p *sys.Params, mem []byte) (r *Ring, used int, err error) {
	if len(mem) == 0 || address(mem)%uint64(os.Getpagesize()) != 0 {
		return nil, 0, fmt.Errorf("uring: ring memory of %d bytes at %#x: it must be page aligned and not empty: %w", len(mem), address(mem), syscall.EINVAL)
	}
	if p == nil {
		p = new(sys.Params)
	}
	p.Flags |= sys.IORING_SETUP_NO_MMAP
	r, err = open(entries, p, mem)
	if err != nil {
		return nil, 0, err
	}
	return r, r.maps.used, nil
}

func open(entries uint32, p *sys.Params, mem []byte) (*Ring, error) {
	if p == nil {
		p = new(sys.Params)
	}
	if err := sys.CheckSetup(entries, p); err != nil {
		return nil, err
	}
	asked := *p
	p.Flags |= sys.IORING_SETUP_NO_SQARRAY
	r, err := try(entries, p, mem)
	if errors.Is(err, syscall.EINVAL) && asked.Flags&sys.IORING_SETUP_NO_SQARRAY == 0 {
		*p = asked
		r, err = try(entries, p, mem)
	}
	if err != nil {
		*p = asked
		return nil, err
	}
	return r, nil
}

func try(entries uint32, p *sys.Params, mem []byte) (r *Ring, err error) {
	r = &Ring{fd: -1}
	defer func() {
		if err != nil {
			r.maps.release()
			r.closeFd()
			r = nil
		}
	}()
	if p.Flags&sys.IORING_SETUP_NO_MMAP != 0 {
		if err = r.maps.lend(entries, p, mem); err != nil {
			return r, err
		}
	}
	fd, errno := setup(entries, p)
	if errno != 0 {
		return r, os.NewSyscallError("io_uring_setup", errno)
	}
	r.params = *p
	if p.Flags&sys.IORING_SETUP_REGISTERED_FD_ONLY != 0 {
		// There is no descriptor: the kernel gave an index of the calling
		// thread's table of registered rings.
		r.enterFd, r.enterFlags, r.registered = fd, sys.IORING_ENTER_REGISTERED_RING, true
		r.noteThread()
	} else {
		r.fd, r.enterFd = fd, fd
	}
	if p.Flags&sys.IORING_SETUP_NO_MMAP == 0 {
		if err = r.maps.mmap(fd, p); err != nil {
			return r, err
		}
	}
	return r, r.attach()
}

// attach makes the queues over mapped memory.
func (r *Ring) attach() error {
	p := &r.params
	shift := func(wide sys.SetupFlags) uint8 {
		if p.Flags&wide != 0 {
			return 1
		}
		return 0
	}
	r.sq = sq{
		entries: p.SQEntries,
		mask:    p.SQEntries - 1,
		shift:   shift(sys.IORING_SETUP_SQE128),
		rewind:  p.Flags&sys.IORING_SETUP_SQ_REWIND != 0,
		sqpoll:  p.Flags&sys.IORING_SETUP_SQPOLL != 0,
	}
	r.cq = cq{
		entries: p.CQEntries,
		mask:    p.CQEntries - 1,
		wide:    p.Flags&sys.IORING_SETUP_CQE32 != 0,
		mixed:   p.Flags&sys.IORING_SETUP_CQE_MIXED != 0,
	}
	var err error
	at := func(mem []byte, off uint32) *atomic.Uint32 {
		w, e := word(mem, off)
		err = errors.Join(err, e)
		return w
	}
	r.sq.head = at(r.maps.sq, p.SQOff.Head)
	r.sq.tail = at(r.maps.sq, p.SQOff.Tail)
	r.sq.flags = at(r.maps.sq, p.SQOff.Flags)
	r.sq.dropped = at(r.maps.sq, p.SQOff.Dropped)
	r.cq.head = at(r.maps.cq, p.CQOff.Head)
	r.cq.tail = at(r.maps.cq, p.CQOff.Tail)
	r.cq.overflow = at(r.maps.cq, p.CQOff.Overflow)
	if p.CQOff.Flags != 0 {
		r.cq.flags = at(r.maps.cq, p.CQOff.Flags)
	}
	if err != nil {
		return err
	}
	if r.sq.slots, err = sqeSlots(r.maps.sqes, p.SQEntries<<r.sq.shift); err != nil {
		return err
	}
	if r.cq.cqes, err = cqeSlots(r.maps.cq, p.CQOff.CQEs, p.CQEntries<<shift(sys.IORING_SETUP_CQE32)); err != nil {
		return err
	}
	// The kernel's own copies of the sizes must agree with its answer, or the
	// offsets mean something else than we think.
	for _, c := range []struct {
		what string
		mem  []byte
		off  uint32
		want uint32
	}{
		{"submission queue mask", r.maps.sq, p.SQOff.RingMask, r.sq.mask},
		{"submission queue size", r.maps.sq, p.SQOff.RingEntries, r.sq.entries},
		{"completion queue mask", r.maps.cq, p.CQOff.RingMask, r.cq.mask},
		{"completion queue size", r.maps.cq, p.CQOff.RingEntries, r.cq.entries},
	} {
		if got := at(c.mem, c.off); err == nil && got.Load() != c.want {
			err = fmt.Errorf("uring: the kernel's %s reads %d in ring memory and %d in its answer", c.what, got.Load(), c.want)
		}
	}
	if err != nil {
		return err
	}
	if p.Flags&sys.IORING_SETUP_NO_SQARRAY == 0 {
		// Slot i holds entry i, for ever.
		for i := range p.SQEntries {
			w := at(r.maps.sq, p.SQOff.Array+4*i)
			if err != nil {
				return err
			}
			w.Store(i)
		}
	}
	r.sq.local = r.sq.tail.Load()
	r.sq.shared = r.sq.local
	r.sq.zeroed = r.sq.local
	if p.Flags&sys.IORING_SETUP_NO_MMAP == 0 {
		r.sq.zeroed += r.sq.entries // the kernel's memory comes zeroed, the caller's as it was
	}
	r.polls = p.Flags&(sys.IORING_SETUP_IOPOLL|sys.IORING_SETUP_SQPOLL) == sys.IORING_SETUP_IOPOLL
	r.brisk = p.Flags&(sys.IORING_SETUP_IOPOLL|sys.IORING_SETUP_SQPOLL|sys.IORING_SETUP_SQ_REWIND) == 0 && !debugThreads
	return err
}

// mappings is the memory of a ring. sq and cq are the same mapping on kernels
// with IORING_FEAT_SINGLE_MMAP, and all three may lie in lent memory.
type mappings struct {
	sq, cq, sqes []byte
	owned        [][]byte // what release unmaps
	used         int      // bytes of lent memory in use
}

func (m *mappings) mmap(fd int, p *sys.Params) error {
	sqSize := int(p.SQOff.Array + p.SQEntries*4)
	cqSize := int(p.CQOff.CQEs + p.CQEntries*cqeSize(p.Flags))
	single := p.Features&sys.IORING_FEAT_SINGLE_MMAP != 0
	if single {
		sqSize = max(sqSize, cqSize)
	}
	var err error
	if m.sq, err = m.mapRegion(fd, sys.IORING_OFF_SQ_RING, sqSize); err != nil {
		return err
	}
	if single {
		m.cq = m.sq
	} else if m.cq, err = m.mapRegion(fd, sys.IORING_OFF_CQ_RING, cqSize); err != nil {
		return err
	}
	m.sqes, err = m.mapRegion(fd, sys.IORING_OFF_SQES, int(p.SQEntries*sqeSize(p.Flags)))
	return err
}

func (m *mappings) mapRegion(fd int, offset int64, size int) ([]byte, error) {
	mem, err := mmap(fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	m.owned = append(m.owned, mem)
	return mem, nil
}

// The kernel's bookkeeping before the completions in memory that is lent to it.
const ringHeader = 64

// lend finds memory for a ring without mappings of the kernel's: the caller's,
// or one page or one 2 MiB huge page for the entries and, if they do not fit
// beside them, another for the rest. The kernel wants each of the two parts
// physically contiguous, at least before 6.10, which is why nothing else will
// do.
func (m *mappings) lend(entries uint32, p *sys.Params, mem []byte) error {
	sqEntries, cqEntries := sys.RingEntries(entries, p)
	sqes, ring := ringSize(sqEntries, cqEntries, p.Flags)
	m.used = pages(sqes + ring)
	if mem != nil {
		if m.used > len(mem) {
			return fmt.Errorf("uring: ring memory of %d bytes; a ring of %d and %d entries needs %d: %w", len(mem), sqEntries, cqEntries, m.used, syscall.ENOMEM)
		}
		m.sqes, m.sq = mem[:sqes], mem[sqes:]
	} else {
		var err error
		if m.sqes, err = m.anonymous(sqes); err != nil {
			return err
		}
		if m.used <= len(m.sqes) {
			m.sqes, m.sq = m.sqes[:sqes], m.sqes[sqes:]
		} else if m.sq, err = m.anonymous(ring); err != nil {
			return err
		}
	}
	// Before Linux 6.18 the kernel takes indices and flags as it finds them.
	clear(m.sq[:ringHeader])
	m.cq = m.sq
	p.SQOff.UserAddr, p.CQOff.UserAddr = address(m.sqes), address(m.sq)
	return nil
}

// ringSize returns the bytes of a ring's entries, in whole pages, and of the rest.
func ringSize(sqEntries, cqEntries uint32, flags sys.SetupFlags) (sqes, ring int) {
	sqes = pages(int(sqEntries * sqeSize(flags)))
	ring = ringHeader + int(cqEntries*cqeSize(flags))
	if flags&sys.IORING_SETUP_NO_SQARRAY == 0 {
		ring += int(sqEntries * 4)
	}
	return sqes, ring
}

func pages(n int) int {
	page := os.Getpagesize()
	return (n + page - 1) &^ (page - 1)
}

// MemorySize returns how many bytes a ring of these parameters takes, in whole
// pages; p may be nil. NewMem wants so much.
//
// liburing: io_uring_memory_size_params
func MemorySize(entries uint32, p *sys.Params) (int, error) {
	if p == nil {
		p = new(sys.Params)
	}
	if err := sys.CheckSetup(entries, p); err != nil {
		return 0, err
	}
	sqEntries, cqEntries := sys.RingEntries(entries, p)
	sqes, ring := ringSize(sqEntries, cqEntries, p.Flags)
	return sqes + pages(ring), nil
}

const hugePage = 2 << 20

func (m *mappings) anonymous(size int) ([]byte, error) {
	length, flags := os.Getpagesize(), unix.MAP_SHARED|unix.MAP_ANONYMOUS
	if size > length {
		length, flags = hugePage, flags|unix.MAP_HUGETLB|21<<unix.MAP_HUGE_SHIFT
	}
	if size > length {
		return nil, fmt.Errorf("uring: ring memory of %d bytes does not fit a huge page of %d; give the ring memory of yours: %w", size, length, syscall.ENOMEM)
	}
	mem, err := mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	m.owned = append(m.owned, mem)
	return mem, nil
}

func (m *mappings) release() error {
	var err error
	for _, mem := range m.owned {
		err = errors.Join(err, os.NewSyscallError("munmap", munmap(mem)))
	}
	*m = mappings{}
	return err
}

func sqeSize(f sys.SetupFlags) uint32 {
	if f&sys.IORING_SETUP_SQE128 != 0 {
		return 128
	}
	return 64
}

func cqeSize(f sys.SetupFlags) uint32 {
	if f&sys.IORING_SETUP_CQE32 != 0 {
		return 32
	}
	return 16
}
