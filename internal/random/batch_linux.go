package random

// Batches: requests submitted together.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/sys"
)

// A planned request is one as it is run.
type planned struct {
	Request
	userData uint64
	buf      []byte
	chain    int
}

// inline are the operations that complete at their submission, on any kernel
// that is not very old.
const inline = " nop inject bad_fd read write recv send select provide remove "

// plan makes a batch one whose outcome is certain. It returns how many
// completions it posts.
func (m *machine) plan(g *ring, reqs []Request) (plan []planned, posts int, ordered bool) {
	reqs = reqs[:min(len(reqs), int(m.p.Entries))]
	var level [4]int // bytes in the slots, if all that comes before runs
	for i := range level {
		level[i] = m.slots[i].bytes
	}
	claims := map[string]int{} // by which chain
	claim := func(what string, chain int) bool {
		if by, ok := claims[what]; ok {
			return by == chain
		}
		claims[what] = chain
		return true
	}
	ordered = g.modern
	drains := slices.ContainsFunc(reqs, func(q Request) bool { return q.Drain })
	if drains && (m.waiting(g) > 0 || !m.met("pipe")) {
		// It would wait for what only a later step brings. And up to Linux 6.15,
		// which the operation tells, a drained request among others that fail now
		// and then waits for ever.
		drains = false
	}
	chain := 0
	for i, q := range reqs {
		head := i == 0 || !plan[i-1].Link && !plan[i-1].Hard
		if head && i > 0 {
			chain++
		}
		if i == len(reqs)-1 {
			q.Link, q.Hard = false, false // it would end with the Submit
		}
		// A drained request counts completions, so the two do not go together: on
		// a ring that had a silent one the kernel refuses to drain.
		q.Drain = q.Drain && drains
		q.Silent = q.Silent && g.modern && !drains
		q.Slot &= 3
		at := &m.slots[q.Slot]
		free := func() bool { return at.armed == nil && claim(string(rune('0'+q.Slot)), chain) }
		ok := true
		switch q.Op {
		case "read", "recv", "select":
			if q.Op == "recv" {
				q.Slot |= 2
				at = &m.slots[q.Slot]
			}
			if q.Op == "select" {
				q.N = 16
				ok = claim("group", chain)
			}
			ok = ok && level[q.Slot] > 0 && free()
			if ok {
				// If it runs, so did all before it in the chain: there is
				// something to read.
				level[q.Slot] -= min(level[q.Slot], q.N)
			}
		case "write", "send":
			if q.Op == "send" {
				q.Slot |= 2
				at = &m.slots[q.Slot]
			}
			ok = free()
			if ok && (!q.Fixed || g.files != nil && g.files[4+q.Slot] >= 0) {
				level[q.Slot] += q.N
			}
		case "provide", "remove":
			ok = claim("provided", chain)
		case "inject":
			ok = m.met("nop_results")
		case "wide":
			// Elsewhere the kernel refuses it.
			ok = g.wide() && m.met("cqe32_results")
		case "msg":
			ok = m.met("msg_ring")
		case "bad_op":
			ok = !drains
		}
		if !ok {
			q.Op = "nop"
		}
		if q.Drain {
			ordered = false
		}
		if q.Async || !strings.Contains(inline, " "+q.Op+" ") {
			ordered = false
		}
		plan = append(plan, planned{Request: q, userData: m.userData(), chain: chain})
	}
	// In the middle of a chain, it is the next chain too that is drained: there
	// has to be one.
	for i := len(plan) - 1; i > 0 && (plan[i-1].Link || plan[i-1].Hard); i-- {
		plan[i].Drain = false
	}
	for first := 0; first < len(plan); {
		end := first + 1
		for end < len(plan) && plan[end].chain == plan[first].chain {
			end++
		}
		posts += count(plan[first:end])
		first = end
	}
	return plan, posts, ordered
}

// count returns how many completions a chain posts. Only chains of NOPs and
// requests that certainly fail may be silent.
func count(chain []planned) (posts int) {
	for _, q := range chain {
		if q.Op != "nop" && q.Op != "bad_fd" || q.Async || q.Drain {
			for i := range chain {
				chain[i].Silent = false
			}
			return len(chain)
		}
	}
	broken, hidden := false, false
	for _, q := range chain {
		switch {
		case broken:
			if !hidden {
				posts++
			}
		case q.Op == "bad_fd":
			posts++
			if !q.Hard {
				broken, hidden = true, q.Silent
			}
		case !q.Silent:
			posts++
		}
	}
	return posts
}

// batch submits requests together and reaps their completions.
func (m *machine) batch(g *ring, s Step) {
	plan, posts, ordered := m.plan(g, s.Reqs)
	if len(plan) == 0 {
		return
	}
	byUserData := map[uint64]*planned{}
	drains := false
	for i := range plan {
		g.silent = g.silent || plan[i].Silent
		drains = drains || plan[i].Drain
		m.prepare(g, &plan[i])
		byUserData[plan[i].userData] = &plan[i]
	}
	done := 0
	timed := g.Params().Features&sys.IORING_FEAT_EXT_ARG != 0
	switch {
	case s.How == "wait" || s.How == "iterate":
		w := uring.Wait{N: uint32(posts)}
		if timed {
			w.Timeout = patience
		}
		done, _ = g.SubmitWait(w)
	case s.How == "deadline" && timed && posts < int(g.Params().CQEntries) && !g.wide():
		// For one more than come. A completion of 32 bytes on a mixed ring would count for
		// two, and then it is chance whether the last one comes before the deadline.
		done, _ = g.SubmitWait(uring.Wait{N: uint32(posts) + 1, Timeout: brief})
	}
	// The kernel stops behind an entry that it refuses.
	for done < len(plan) {
		n := g.Submit()
		if n <= 0 {
			break
		}
		done += n
	}
	var got []sys.CQE32
	switch {
	case !ordered:
		got = g.ReapAny(posts)
	case s.How == "pieces" && posts > 1 && g.Params().Flags&sys.IORING_SETUP_SQPOLL == 0:
		got = append(g.Reap(1), g.Reap(posts-1)...)
	case s.How == "iterate" && done == len(plan) && posts > 1 && !g.wide() && g.Params().Flags&sys.IORING_SETUP_SQPOLL == 0:
		got = g.iterate(posts)
	default:
		got = g.ReapIndependent(posts)
	}
	messages := 0
	for _, c := range got {
		q := byUserData[c.UserData]
		if q == nil {
			continue // the record has it
		}
		if id, ok := c.Buffer(); ok && g.bufs != nil && int(id) < len(g.mem) {
			g.used = append(g.used, id)
			q.buf = g.mem[id]
		}
		n := int(c.Res)
		switch q.Op {
		case "msg":
			if n == 0 {
				messages++
			}
		case "write", "send":
			m.slots[q.Slot].bytes += max(n, 0)
		case "read", "recv", "select":
			m.slots[q.Slot].bytes -= max(n, 0)
			fallthrough
		case "file_read", "read_fixed":
			if n > 0 && n <= len(q.buf) {
				m.r.Note("data", q.buf[:n])
			}
		}
	}
	if messages > 0 {
		m.other(g).ReapAny(messages)
	}
	g.NoteQueues()
	if drains {
		m.replace(g)
	}
}

// iterate takes n completions that are there, the first of them in a loop that
// is left early.
func (g *ring) iterate(n int) (got []sys.CQE32) {
	for c := range g.Completions() {
		g.Note("iterated", fmt.Sprintf("%d %d %#x", c.UserData, c.Res, uint32(c.Flags)))
		got = append(got, sys.CQE32{CQE: c})
		if len(got) > n/2 {
			break
		}
	}
	// What the loop left is with the ring, and no longer in the kernel's queue.
	return append(got, g.Peek(n-len(got))...)
}

func (g *ring) wide() bool {
	return g.Params().Flags&(sys.IORING_SETUP_CQE32|sys.IORING_SETUP_CQE_MIXED) != 0
}

func (m *machine) other(g *ring) *ring {
	if g == m.rings[0] {
		return m.ring(1)
	}
	return m.ring(0)
}

// prepare fills in an entry.
func (m *machine) prepare(g *ring, q *planned) {
	var to *ring
	if q.Op == "msg" {
		to = m.other(g)
	}
	e := g.SQE(q.userData)
	at := m.slots[q.Slot]
	text := func() []byte { return m.r.Text(strings.Repeat(string(rune('A'+q.userData%26)), q.N)) }
	part := 64 * q.chain // of the file and the registered buffers
	rd, wr, file := at.rd, at.wr, m.file
	if q.Fixed {
		rd, wr, file = q.Slot, 4+q.Slot, 8
	}
	file0 := true // the operation names a file
	switch q.Op {
	case "bad_fd":
		e.PrepRead(-1, m.r.Bytes(1), 0)
		file0 = false
	case "bad_op":
		e.Opcode = 250 // no operation on any kernel so far
		file0 = false
	case "read":
		q.buf = m.r.Bytes(q.N)
		e.PrepRead(rd, q.buf, 0)
	case "recv":
		q.buf = m.r.Bytes(q.N)
		e.PrepRecv(rd, q.buf, 0)
	case "select":
		e.PrepRead(rd, nil, 0)
		e.Flags |= sys.IOSQE_BUFFER_SELECT
		e.BufIndex, e.Len = group, uint32(q.N)
	case "write":
		e.PrepWrite(wr, text(), 0)
	case "send":
		e.PrepSend(wr, text(), 0)
	case "file_read":
		q.buf = m.r.Bytes(q.N)
		e.PrepRead(file, q.buf, uint64(part))
	case "file_past":
		e.PrepRead(file, m.r.Bytes(q.N), 1<<20)
	case "file_write":
		e.PrepWrite(file, text(), uint64(part))
	case "read_fixed", "write_fixed":
		// A third of them names a buffer that is not there.
		q.buf = g.pages[q.Slot&1][part : part+q.N]
		if q.Op == "read_fixed" {
			e.PrepReadFixed(file, q.buf, uint64(part), q.Slot%3)
		} else {
			e.PrepWriteFixed(file, q.buf, uint64(part), q.Slot%3)
		}
	case "fsync":
		e.PrepFsync(file, 0)
	case "timeout":
		e.PrepTimeout(m.r.Time(time.Nanosecond), 0, 0)
		file0 = false
	case "link_timeout":
		e.PrepLinkTimeout(m.r.Time(far), 0)
		file0 = false
	case "msg":
		e.PrepMsgRing(to.Fd(), uint32(q.N), missing+q.userData, 0)
		file0 = false
	case "cancel":
		e.PrepCancel64(missing, 0)
		file0 = false
	case "poll_remove":
		e.PrepPollRemove(missing)
		file0 = false
	case "timeout_remove":
		e.PrepTimeoutRemove(missing, 0)
		file0 = false
	case "poll_ready":
		e.PrepPollAdd(wr, unix.POLLOUT)
	case "provide":
		e.PrepProvideBuffers(m.r.Bytes(8*4), 8, 1+q.N%4, 7, 4*q.Slot)
		file0 = false
	case "remove":
		e.PrepRemoveBuffers(q.N, 7)
		file0 = false
	default:
		e.PrepNop()
		file0 = false
		if q.Op == "wide" {
			e.OpFlags, e.Off, e.Addr = sys.IORING_NOP_CQE32, q.userData, uint64(q.N)
		}
		if q.Op == "inject" {
			e.OpFlags, e.Len = sys.IORING_NOP_INJECT_RESULT, uint32(int32(q.N-12))
		}
	}
	for _, f := range []struct {
		on   bool
		flag sys.SQEFlags
	}{
		{q.Link, sys.IOSQE_IO_LINK}, {q.Hard, sys.IOSQE_IO_HARDLINK},
		{q.Async, sys.IOSQE_ASYNC}, {q.Silent, sys.IOSQE_CQE_SKIP_SUCCESS}, {q.Fixed && file0, sys.IOSQE_FIXED_FILE},
		{q.Drain, sys.IOSQE_IO_DRAIN},
	} {
		if f.on {
			e.Flags |= f.flag
		}
	}
}
