package scenario

// What is recorded, and how it is written: as lines of JSON, one for the trace
// and one for each event, so that text tools can compare traces too.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/uring-go/uring/sys"
)

// A Trace is what one run of a scenario saw.
type Trace struct {
	Scenario   string `json:"scenario"`
	Mode       Mode   `json:"mode"`
	Backend    string `json:"backend"`
	Version    string `json:"version,omitempty"`    // of the backend, where it has one
	Kernel     string `json:"kernel"`               // release, as uname(2) has it
	Arch       string `json:"arch,omitempty"`       // GOARCH of the program
	FileSystem string `json:"filesystem,omitempty"` // of the temporary directory

	// Skipped says what the kernel lacks for the scenario, Lacks what the backend
	// lacks, Failed why the run came to no end. At most one of them is set. A run
	// that ended well has none.
	Skipped string `json:"skipped,omitempty"`
	Lacks   string `json:"lacks,omitempty"`
	Failed  string `json:"failed,omitempty"`

	Events []Event `json:"-"`
}

// An Event is one line of a trace: a call that returned, something that the
// program looked at, or a completion.
type Event struct {
	// Ring numbers the rings of a run in the order in which they were opened.
	Ring int `json:"ring,omitempty"`
	// Call is what was called or looked at, and Ret what came of it: a number, a
	// negative errno by name, "ok", "deadline", or text.
	Call string `json:"call,omitempty"`
	Ret  string `json:"ret,omitempty"`
	// CQE is a completion.
	CQE *Completion `json:"cqe,omitempty"`
}

// A Completion is a CQE in a form that is the same on every machine.
type Completion struct {
	UserData uint64     `json:"user_data"`
	Res      string     `json:"res"`             // a number, an errno by name, or "fd"
	Flags    string     `json:"flags"`           // names without IORING_CQE_F_, BUFFER with its id
	Extra    *[2]uint64 `json:"extra,omitempty"` // the second half of a 32-byte completion
}

// Lines returns the trace's events as lines of JSON, and with them why it ended,
// if it did not end well.
func (t *Trace) Lines() []string {
	lines := make([]string, 0, len(t.Events)+1)
	for _, e := range t.Events {
		lines = append(lines, line(e))
	}
	for _, end := range []struct{ call, why string }{{"skipped", t.Skipped}, {"lacks", t.Lacks}, {"failed", t.Failed}} {
		if end.why != "" {
			lines = append(lines, line(Event{Call: end.call, Ret: end.why}))
		}
	}
	return lines
}

func line(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return string(b)
}

// WriteTo writes the trace: a line about it, then one for each event.
func (t *Trace) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	b.WriteString(line(t) + "\n")
	for _, e := range t.Events {
		b.WriteString(line(e) + "\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// ReadTraces reads what any number of WriteTo calls wrote. Other fields than
// those of Trace and Event are an error: the text is no record.
func ReadTraces(r io.Reader) ([]Trace, error) {
	var traces []Trace
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for n := 1; scan.Scan(); n++ {
		var both struct {
			Trace
			Event
		}
		d := json.NewDecoder(bytes.NewReader(scan.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&both); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if both.Scenario != "" {
			traces = append(traces, both.Trace)
			continue
		}
		if len(traces) == 0 {
			return nil, fmt.Errorf("line %d: an event before the first trace", n)
		}
		last := &traces[len(traces)-1]
		last.Events = append(last.Events, both.Event)
	}
	return traces, scan.Err()
}

// completion brings a CQE into its comparable form. isFd says that a result that
// is no error is a descriptor, wide that there is a second half.
func completion(c sys.CQE32, isFd, wide bool) *Completion {
	out := &Completion{UserData: c.UserData, Res: result(int64(c.Res)), Flags: flagNames(c.Flags)}
	if isFd && c.Res >= 0 {
		out.Res = "fd"
	}
	if wide {
		extra := c.Extra
		out.Extra = &extra
	}
	return out
}

// result writes a number as it is, and a negative errno by its name.
func result(n int64) string {
	if n < 0 && n > -4096 {
		return "-" + errnoName(syscall.Errno(-n))
	}
	return strconv.FormatInt(n, 10)
}

// flagNames writes CQE flags without loss. The upper half is a buffer id where
// F_BUFFER says so, and a number elsewhere.
func flagNames(f sys.CQEFlags) string {
	var parts []string
	if f&sys.IORING_CQE_F_BUFFER != 0 {
		parts = append(parts, fmt.Sprintf("BUFFER:%d", f>>sys.IORING_CQE_BUFFER_SHIFT))
		f &= 1<<sys.IORING_CQE_BUFFER_SHIFT - 1
		f &^= sys.IORING_CQE_F_BUFFER
	}
	for _, n := range []struct {
		flag sys.CQEFlags
		name string
	}{
		{sys.IORING_CQE_F_MORE, "MORE"},
		{sys.IORING_CQE_F_SOCK_NONEMPTY, "SOCK_NONEMPTY"},
		{sys.IORING_CQE_F_NOTIF, "NOTIF"},
		{sys.IORING_CQE_F_BUF_MORE, "BUF_MORE"},
		{sys.IORING_CQE_F_SKIP, "SKIP"},
		{sys.IORING_CQE_F_32, "32"},
	} {
		if f&n.flag != 0 {
			parts = append(parts, n.name)
			f &^= n.flag
		}
	}
	if f != 0 {
		parts = append(parts, fmt.Sprintf("%#x", uint32(f)))
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, "|")
}

// verdict writes an error of a call. The sentences around an errno may differ
// between backends, which call different things; the errno may not.
func verdict(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &errno):
		return "-" + errnoName(errno)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "deadline"
	case errors.Is(err, os.ErrClosed):
		return "closed"
	case errors.Is(err, errors.ErrUnsupported):
		return "unsupported"
	}
	return err.Error()
}

// lacks reports whether an error says that the backend, not the kernel, cannot
// do something.
func lacks(err error) bool {
	var errno syscall.Errno
	return errors.Is(err, errors.ErrUnsupported) && !errors.As(err, &errno)
}
