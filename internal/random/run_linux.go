package random

// The interpreter: every step but batches, which are in batch_linux.go.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/internal/scenario"
	"github.com/uring-go/uring/sys"
)

const (
	far      = time.Hour        // no program lasts as long
	brief    = time.Millisecond // for what is sure to come, or not to
	patience = 10 * time.Second // with a batch's completions
	timeouts = 4                // the slot of the timeout
	group    = 3                // of the ring of buffers
	missing  = 1 << 40          // the UserData of no request
)

// A machine is what a program works on.
type machine struct {
	p     Program
	r     *scenario.Run
	rings [2]*ring
	slots [5]slot
	file  int
	next  uint64 // UserData
}

// A slot is a pipe, a socket pair or the place of a timeout.
type slot struct {
	rd, wr int
	bytes  int    // that can be read
	armed  *armed // a request that waits, nil if there is none
}

// An armed request is one that waits, at the head of a chain.
type armed struct {
	on       *ring
	userData uint64
	how      string
	n        int // length of the chain
}

// A ring is a ring with what is registered with it.
type ring struct {
	*scenario.Ring
	modern bool  // files are looked up when a request runs, silent requests exist
	silent bool  // it had a silent request
	files  []int // nil: no table
	pages  [][]byte
	bufs   *scenario.BufRing
	mem    [][]byte // the buffers of bufs
	used   []uint16 // those that the kernel took
}

func (p Program) run(r *scenario.Run) {
	m := &machine{p: p, r: r, next: 1}
	for i := range m.slots[:2] {
		m.slots[i].rd, m.slots[i].wr = r.Pipe()
	}
	for i := range m.slots[2:4] {
		m.slots[2+i].rd, m.slots[2+i].wr = r.Pair(unix.SOCK_STREAM)
	}
	var err error
	m.file, err = unix.MemfdCreate("file", unix.MFD_CLOEXEC)
	r.Must("memfd_create", err)
	r.CloseLater(m.file)
	r.Write(m.file, content)
	for _, s := range p.Steps {
		m.step(s)
	}
	for i := range m.slots {
		if m.slots[i].armed != nil {
			m.cancel(Step{Slot: i})
		}
	}
	for _, g := range m.rings {
		if g != nil {
			g.NoteQueues()
			g.NoteFlags()
		}
	}
	m.noteFile()
	for i := range m.slots[:4] {
		if n := m.slots[i].bytes; n > 0 {
			r.Note("left", r.Read(m.slots[i].rd, n))
		}
	}
}

// content is what the file has at first.
var content = strings.Repeat("0123456789abcdef", 128)

// noteFile records in which parts the file has changed, and to what.
func (m *machine) noteFile() {
	now := m.r.Content(m.file)
	if len(now) != len(content) {
		m.r.Note("size", len(now))
	}
	for at := 0; at < len(now); at += 16 {
		if end := min(at+16, len(now)); end > len(content) || now[at:end] != content[at:end] {
			m.r.Note("file", fmt.Sprintf("%d %q", at, now[at:end]))
		}
	}
}

// met tells whether the kernel has what a scenario needs: each operation that
// not every kernel has is the subject of one, which knows.
func (m *machine) met(name string) bool {
	s, ok := scenario.Find(name)
	if !ok {
		panic("no scenario " + name)
	}
	for _, n := range s.Needs {
		ok, err := n.Met()
		m.r.Must(n.What, err)
		if !ok {
			return false
		}
	}
	return true
}

// ring returns a ring, opened when it is first used.
func (m *machine) ring(i int) *ring {
	i &= 1
	if m.rings[i] == nil {
		// The thread under SQPOLL goes to sleep soon: waking it is a part of this.
		p := sys.Params{Flags: m.p.Setup, SQThreadIdle: 2}
		if m.p.CQEntries > 0 {
			p.Flags |= sys.IORING_SETUP_CQSIZE
			p.CQEntries = m.p.CQEntries
		}
		if m.p.SubmitAll && m.met("submit_all") {
			p.Flags |= sys.IORING_SETUP_SUBMIT_ALL
		}
		g := &ring{Ring: m.r.OpenWith(m.p.Entries, p)}
		if m.p.RingFd {
			m.r.Must("register the ring", g.RegisterRingFd())
		}
		g.modern = g.Params().Features&sys.IORING_FEAT_LINKED_FILE != 0
		for range 2 {
			g.pages = append(g.pages, m.r.Pages(4096))
		}
		m.rings[i] = g
	}
	return m.rings[i]
}

func (m *machine) userData() uint64 {
	m.next++
	return m.next - 1
}

// waiting returns how many completions the armed requests of a ring will post.
func (m *machine) waiting(g *ring) int {
	n := 0
	for _, s := range m.slots {
		if s.armed != nil && s.armed.on == g {
			n += s.armed.n
		}
	}
	return n
}

func (m *machine) step(s Step) {
	g, at := m.ring(s.Ring), &m.slots[s.Slot]
	switch s.Do {
	case "batch":
		m.batch(g, s)
	case "flood":
		m.flood(g, s.N)
	case "arm":
		m.arm(g, s, at)
	case "trigger":
		m.trigger(g, s, at)
	case "cancel":
		m.cancel(s)
	case "stall":
		m.stall(g, s, at)
	case "timer":
		m.timer(g, s, at)
	case "multishot":
		m.multishot(g, s, at)
	case "stream":
		m.stream(g, s, at)
	case "files":
		m.files(g, s)
	case "buffers":
		// Old kernels wait for all requests of the ring here, for files too.
		if m.waiting(g) == 0 {
			switch s.How {
			case "":
				g.RegisterBuffers(g.pages...)
			case "unregister":
				g.Unregister(sys.IORING_UNREGISTER_BUFFERS)
			case "clear":
				g.UpdateBuffer(uint32(s.N), nil, 0)
			case "restore":
				g.UpdateBuffer(uint32(s.N), g.pages[s.N&1], 0)
			}
		}
	case "ring":
		m.bufRing(g, s)
	case "idle":
		g.Peek(4)
		g.Submit()
		g.SubmitWait(uring.Wait{})
		g.Wait(uring.Wait{})
		if g.Params().Features&sys.IORING_FEAT_EXT_ARG != 0 {
			g.Wait(uring.Wait{N: 1, Timeout: brief})
		}
		g.NoteQueues()
	}
}

// flood fills the completion queue, beyond its end where the kernel keeps what
// does not fit.
func (m *machine) flood(g *ring, n int) {
	p := g.Params()
	if m.p.Mode == scenario.CQEMixed || p.Features&sys.IORING_FEAT_NODROP == 0 {
		n = min(n, int(p.CQEntries/p.SQEntries))
	}
	for range n {
		for range p.SQEntries {
			g.SQE(m.userData()).PrepNop()
		}
		g.Submit()
		g.Settle()
	}
	g.NoteQueues()
	for range n {
		g.Reap(int(p.SQEntries))
	}
	g.NoteFlags()
}

// arm begins a request that waits, with a chain of NOPs behind it.
func (m *machine) arm(g *ring, s Step, at *slot) {
	if at.armed != nil || at.bytes > 0 {
		return
	}
	a := &armed{on: g, userData: m.userData(), how: s.How, n: 1 + min(s.N, int(m.p.Entries)-1)}
	if !g.modern && (a.how == "guarded" || a.how == "read") {
		a.how = "poll" // 5.10 reads in a worker: how far that is when it is cancelled is chance
	}
	behind := a.n - 1
	e := g.SQE(a.userData)
	switch a.how {
	case "poll":
		e.PrepPollAdd(at.rd, unix.POLLIN)
	case "read":
		e.PrepRead(at.rd, m.r.Bytes(8), 0)
	case "guarded":
		a.how = "read"
		e.PrepRead(at.rd, m.r.Bytes(8), 0)
		e.Flags |= sys.IOSQE_IO_LINK
		e = g.SQE(m.userData())
		e.PrepLinkTimeout(m.r.Time(far), 0)
		a.n = max(a.n, 2)
		behind = a.n - 2
	case "timeout":
		e.PrepTimeout(m.r.Time(far), 0, 0)
	}
	for range behind {
		e.Flags |= sys.IOSQE_IO_LINK
		e = g.SQE(m.userData())
		e.PrepNop()
	}
	g.Submit()
	g.Settle()
	at.armed = a
}

// trigger writes to a slot, and reaps what that completes.
func (m *machine) trigger(g *ring, s Step, at *slot) {
	if at == &m.slots[timeouts] {
		return
	}
	text := strings.Repeat(string(rune('a'+m.next%26)), s.N)
	n, a := 0, at.armed
	if a != nil {
		n = a.n
	}
	if s.How == "ring" {
		g.SQE(m.userData()).PrepWrite(at.wr, m.r.Text(text), 0)
		g.Submit()
		if a == nil || a.on != g {
			g.Reap(1)
		} else {
			n++
		}
	} else {
		m.r.Write(at.wr, text)
	}
	at.bytes += len(text)
	if a != nil {
		at.armed = nil
		for _, c := range a.on.ReapAny(n) {
			if c.UserData == a.userData && a.how == "read" && c.Res > 0 {
				at.bytes -= int(c.Res)
			}
		}
	}
}

// cancel cancels what waits at a slot, in one of many ways.
func (m *machine) cancel(s Step) {
	a, how := m.slots[s.Slot].armed, s.How
	if a == nil {
		g := m.ring(s.Ring)
		g.SQE(m.userData()).PrepCancel64(missing, 0)
		g.SubmitReap(1)
		return
	}
	g, n := a.on, a.n
	switch {
	case how == "sync" && m.met("sync_cancel"):
		arg := &sys.SyncCancelReg{Addr: a.userData, Fd: -1, Timeout: sys.Timespec{Sec: -1, Nsec: -1}}
		m.r.Keep(arg)
		g.Register(sys.IORING_REGISTER_SYNC_CANCEL, sys.PointerTo(arg), 1)
		m.slots[s.Slot].armed = nil
		g.ReapAny(n)
		return
	case how == "missing":
		g.SQE(m.userData()).PrepCancel64(missing, 0)
		g.SubmitReap(1)
		return
	}
	e := g.SQE(m.userData())
	switch all := m.met("cancel_fd_all"); {
	case how == "any" && all:
		e.PrepCancel64(0, sys.IORING_ASYNC_CANCEL_ANY|sys.IORING_ASYNC_CANCEL_ALL)
		n = m.waiting(g)
		for i := range m.slots {
			if o := m.slots[i].armed; o != nil && o.on == g {
				m.slots[i].armed = nil
			}
		}
	case how == "all" && all:
		e.PrepCancel64(a.userData, sys.IORING_ASYNC_CANCEL_ALL)
	case how == "fd" && all && s.Slot != timeouts:
		e.PrepCancelFd(m.slots[s.Slot].rd, sys.IORING_ASYNC_CANCEL_ALL)
	case how == "remove" && a.how == "poll":
		e.PrepPollRemove(a.userData)
	case how == "remove" && a.how == "timeout":
		e.PrepTimeoutRemove(a.userData, 0)
	default:
		e.PrepCancel64(a.userData, 0)
	}
	m.slots[s.Slot].armed = nil
	g.Submit()
	g.ReapAny(1 + n)
}

// stall has a drained request wait for a read.
func (m *machine) stall(g *ring, s Step, at *slot) {
	if at == &m.slots[timeouts] || at.armed != nil || at.bytes > 0 || m.waiting(g) > 0 || !g.modern {
		return // 5.10 miscounts behind an overflow
	}
	g.SQE(m.userData()).PrepRead(at.rd, m.r.Bytes(3), 0)
	g.SQE(m.userData(), sys.IOSQE_IO_DRAIN).PrepNop()
	n := min(s.N, int(m.p.Entries)-2)
	for range n {
		g.SQE(m.userData()).PrepNop()
	}
	if g.silent {
		// The kernel refuses to drain, and what follows runs.
		g.SubmitAll()
	} else {
		g.Submit()
		g.Settle()
		g.Peek(4)
	}
	m.r.Write(at.wr, "now")
	g.ReapAny(2 + n)
	m.replace(g)
}

// replace closes a ring on which a request was drained. For a while, whose end
// nobody is told of, the kernel drains what is submitted behind it too (6.18: the
// request that would cancel a poll waits for the poll), which is chance.
func (m *machine) replace(g *ring) {
	m.r.Must("close", g.Close())
	m.rings[slices.Index(m.rings[:], g)] = nil
}

// timer lets time pass, or completions.
func (m *machine) timer(g *ring, s Step, at *slot) {
	first := m.userData()
	e := g.SQE(first)
	n := min(s.N, int(m.p.Entries))
	switch how := s.How; {
	case how == "update" && m.met("timeout_update"):
		e.PrepTimeout(m.r.Time(far), 0, 0)
		g.Submit()
		g.Settle()
		g.SQE(m.userData()).PrepTimeoutUpdate(m.r.Time(time.Nanosecond), first, 0)
		g.Submit()
		g.ReapAny(2)
	case how == "apart":
		e.PrepTimeout(m.r.Time(40*brief), 0, 0)
		g.SQE(m.userData()).PrepTimeout(m.r.Time(2*brief), 0, 0)
		g.Submit()
		g.ReapIndependent(2)
	case how == "multishot" && m.met("timeout_multishot"):
		e.PrepTimeout(m.r.Time(brief), uint32(n), sys.IORING_TIMEOUT_MULTISHOT)
		g.Submit()
		g.Reap(n)
	case how == "expire" && g.modern && at != &m.slots[timeouts] && at.armed == nil && at.bytes == 0:
		e.PrepRead(at.rd, m.r.Bytes(3), 0)
		e.Flags |= sys.IOSQE_IO_LINK
		g.SQE(m.userData()).PrepLinkTimeout(m.r.Time(brief), 0)
		g.Submit()
		g.ReapAny(2)
	default:
		e.PrepTimeout(m.r.Time(far), uint32(n), 0)
		g.Submit()
		g.Settle()
		for range n {
			g.SQE(m.userData()).PrepNop()
		}
		g.Submit()
		g.ReapAny(1 + n)
	}
}

// stream reads from a slot several times with one request, into the buffers of
// the ring's group.
func (m *machine) stream(g *ring, s Step, at *slot) {
	pipe := at == &m.slots[0] || at == &m.slots[1]
	need := "recv_multishot"
	if pipe {
		need = "read_multishot"
	}
	if at.armed != nil || at.bytes > 0 || g.bufs == nil || !m.met(need) {
		return
	}
	read := m.userData()
	e := g.SQE(read)
	if pipe {
		e.PrepReadMultishot(at.rd, 0, 0, group)
	} else {
		e.PrepRecvMultishot(at.rd, nil, 0)
		e.Flags |= sys.IOSQE_BUFFER_SELECT
		e.BufIndex = group
	}
	g.Submit()
	g.Settle()
	for i := range s.N {
		text := strings.Repeat(string(rune('A'+i)), 1+i)
		m.r.Write(at.wr, text)
		at.bytes += len(text)
		c := g.Reap(1)[0]
		at.bytes -= max(int(c.Res), 0)
		if id, ok := c.Buffer(); ok && int(id) < len(g.mem) && c.Res > 0 {
			g.used = append(g.used, id)
			m.r.Note("data", g.mem[id][:c.Res])
		}
		if !c.More() {
			return
		}
	}
	g.SQE(m.userData()).PrepCancel64(read, 0)
	g.Submit()
	g.ReapAny(2)
}

// multishot polls a pipe several times with one request.
func (m *machine) multishot(g *ring, s Step, at *slot) {
	if at.armed != nil || at.bytes > 0 || !m.met("poll_multishot") {
		return
	}
	poll := m.userData()
	g.SQE(poll).PrepPollMultishot(at.rd, unix.POLLIN)
	g.Submit()
	g.Settle()
	for range s.N {
		m.r.Write(at.wr, "x")
		more := g.Reap(1)[0].More()
		m.r.Read(at.rd, 1)
		if !more {
			return
		}
	}
	g.SQE(m.userData()).PrepCancel64(poll, 0)
	g.Submit()
	g.ReapAny(2)
}

// files changes the table of registered files: slots to read, slots to write,
// and the file.
func (m *machine) files(g *ring, s Step) {
	all := make([]int, 9)
	for i := range 4 {
		all[i], all[4+i] = m.slots[i].rd, m.slots[i].wr
	}
	all[8] = m.file
	switch s.How {
	case "":
		if m.waiting(g) > 0 {
			return // as for buffers
		}
		g.RegisterFiles(all...)
		if g.files == nil {
			g.files = all
		}
	case "unregister":
		g.Unregister(sys.IORING_UNREGISTER_FILES)
		g.files = nil
	default:
		fd := -1
		if s.How == "restore" {
			fd = all[s.N]
		}
		g.UpdateFiles(uint32(s.N), fd)
		if g.files != nil {
			g.files = slices.Clone(g.files)
			g.files[s.N] = fd
		}
	}
}

// bufRing registers a ring of buffers, takes it back, or fills it again.
func (m *machine) bufRing(g *ring, s Step) {
	switch {
	case !m.met("buffer_ring"):
	case s.How == "" && g.bufs == nil:
		g.bufs = g.BufRing(4, group, 0)
		g.mem, g.used = g.bufs.Fill(s.N, 16, 0), nil
	case s.How == "":
		g.BufRing(4, group, 0) // a second one of the same group
	case g.bufs == nil:
	case s.How == "unregister":
		g.bufs.Unregister()
		g.bufs = nil
	default:
		for _, id := range g.used {
			g.bufs.Add(g.mem[id], id)
		}
		g.bufs.Publish()
		g.used = nil
	}
}
