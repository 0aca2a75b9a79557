package sys_test

// The committed ABI against what the C compiler answered when it was generated
// (zlayout_test.go): on every architecture that Go compiles for, without C.
// layout_test.go asks the compiler anew.

import (
	"reflect"
	"strconv"
	"structs"
	"testing"

	"github.com/uring-go/uring/sys"
)

// A cStruct is a structure, or a part of one, as the C compiler lays it out.
type cStruct struct {
	C       string // tag
	Path    string // member of it that Go has as a type of its own, or ""
	Base    uintptr
	Size    uintptr
	Go      reflect.Type
	Members []cMember
}

// A cMember is a member and the Go field that has its bytes. The first row of a
// field is the member that it is; more rows are the rest of a union. C is ""
// where the field stands for a whole union, Go is "_" for reserved room.
type cMember struct {
	C, Go     string
	Off, Size uintptr
}

// A cConst is a constant: Want is the C compiler's decimal answer.
type cConst struct {
	C, Type, Want string
	Bits          uint64 // the Go constant, as C converts it to unsigned long long
}

// value gives the Go constant as a decimal number.
func (c cConst) value() string {
	if c.Want[0] == '-' {
		return strconv.FormatInt(int64(c.Bits), 10)
	}
	return strconv.FormatUint(c.Bits, 10)
}

func TestLayout(t *testing.T) {
	for _, s := range cStructs {
		t.Run(s.Go.Name(), func(t *testing.T) {
			if s.Go.Size() != s.Size {
				t.Errorf("%d bytes, in C %d", s.Go.Size(), s.Size)
			}
			if f := s.Go.Field(0); f.Type != reflect.TypeFor[structs.HostLayout]() {
				t.Errorf("begins with %s %v, not with structs.HostLayout", f.Name, f.Type)
			}

			// No implicit holes: with them a 32-bit machine would have others.
			end := uintptr(0)
			for f := range s.Go.Fields() {
				if f.Offset != end {
					t.Errorf("%s is at %d, what precedes it ends at %d", f.Name, f.Offset, end)
				}
				end = f.Offset + f.Type.Size()
			}
			if end != s.Size {
				t.Errorf("fields end at %d, the structure at %d", end, s.Size)
			}

			seen := map[string]bool{"_": true}
			for _, m := range s.Members {
				if m.Go == "_" {
					continue
				}
				f, ok := s.Go.FieldByName(m.Go)
				if !ok {
					t.Errorf("no field %s", m.Go)
					continue
				}
				off, size := f.Offset, f.Type.Size()
				switch first := !seen[m.Go]; {
				case first && (off != m.Off || size != m.Size):
					t.Errorf("%s has %d bytes at %d, in C %d at %d", m.Go, size, off, m.Size, m.Off)
				case m.Off < off || m.Off+m.Size > off+size:
					t.Errorf("%s has %d bytes at %d, %s in C %d at %d", m.Go, size, off, m.C, m.Size, m.Off)
				}
				seen[m.Go] = true
			}
			for f := range s.Go.Fields() {
				if !seen[f.Name] {
					t.Errorf("no row for field %s", f.Name)
				}
			}
		})
	}
}

// TestDoubled checks the types that C has no structure for.
func TestDoubled(t *testing.T) {
	if got := reflect.TypeFor[sys.SQE128]().Size(); got != 128 {
		t.Errorf("SQE128 has %d bytes, want 128", got)
	}
	typ := reflect.TypeFor[sys.CQE32]()
	if typ.Size() != 32 {
		t.Errorf("CQE32 has %d bytes, want 32", typ.Size())
	}
	for name, want := range map[string]uintptr{"CQE": 0, "UserData": 0, "Res": 8, "Flags": 12, "Extra": 16} {
		if f, ok := typ.FieldByName(name); !ok || f.Offset != want {
			t.Errorf("CQE32.%s: found %t at %d, want %d", name, ok, f.Offset, want)
		}
	}
}

func TestConstants(t *testing.T) {
	for _, c := range cConsts {
		if got := c.value(); got != c.Want {
			t.Errorf("%s = %s, in C %s", c.C, got, c.Want)
		}
	}
}

func TestString(t *testing.T) {
	for _, tt := range []struct {
		got, want string
	}{
		{sys.IORING_OP_NOP.String(), "IORING_OP_NOP"},
		{sys.IORING_OP_URING_CMD128.String(), "IORING_OP_URING_CMD128"},
		{sys.Op(255).String(), "Op(255)"},
		{sys.IORING_REGISTER_BPF_FILTER.String(), "IORING_REGISTER_BPF_FILTER"},
		{(sys.IORING_REGISTER_PROBE | sys.IORING_REGISTER_USE_REGISTERED_RING).String(), "IORING_REGISTER_PROBE|IORING_REGISTER_USE_REGISTERED_RING"},
		{sys.RegisterOp(1 << 30).String(), "RegisterOp(1073741824)"},
		{sys.SQEFlags(0).String(), "0"},
		{(sys.IOSQE_IO_LINK | sys.IOSQE_ASYNC | 1<<7).String(), "IOSQE_IO_LINK|IOSQE_ASYNC|0x80"},
		{(sys.IORING_SETUP_SQPOLL | sys.IORING_SETUP_SQ_REWIND).String(), "IORING_SETUP_SQPOLL|IORING_SETUP_SQ_REWIND"},
		{sys.FeatFlags(1 << 31).String(), "0x80000000"},
		{sys.IORING_ENTER_GETEVENTS.String(), "IORING_ENTER_GETEVENTS"},
		{sys.IORING_SQ_NEED_WAKEUP.String(), "IORING_SQ_NEED_WAKEUP"},
		{sys.IORING_CQ_EVENTFD_DISABLED.String(), "IORING_CQ_EVENTFD_DISABLED"},
		{(sys.IORING_CQE_F_BUFFER | sys.IORING_CQE_F_32 | 7<<sys.IORING_CQE_BUFFER_SHIFT).String(), "IORING_CQE_F_BUFFER|IORING_CQE_F_32|0x70000"},
		{(sys.IORING_CQE_F_MORE | 1<<14).String(), "IORING_CQE_F_MORE|0x4000"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

// TestStringNames checks that every typed constant prints as its name.
func TestStringNames(t *testing.T) {
	print := map[string]func(uint64) string{
		"Op":          func(v uint64) string { return sys.Op(v).String() },
		"SQEFlags":    func(v uint64) string { return sys.SQEFlags(v).String() },
		"CQEFlags":    func(v uint64) string { return sys.CQEFlags(v).String() },
		"SetupFlags":  func(v uint64) string { return sys.SetupFlags(v).String() },
		"FeatFlags":   func(v uint64) string { return sys.FeatFlags(v).String() },
		"EnterFlags":  func(v uint64) string { return sys.EnterFlags(v).String() },
		"RegisterOp":  func(v uint64) string { return sys.RegisterOp(v).String() },
		"SQRingFlags": func(v uint64) string { return sys.SQRingFlags(v).String() },
		"CQRingFlags": func(v uint64) string { return sys.CQRingFlags(v).String() },
	}
	// Two are no operations, one is a bit of the buffer id elsewhere, one is
	// no operation by itself.
	special := map[string]string{
		"IORING_OP_LAST":                      "Op(" + strconv.Itoa(int(sys.IORING_OP_LAST)) + ")",
		"IORING_REGISTER_LAST":                "RegisterOp(" + strconv.Itoa(int(sys.IORING_REGISTER_LAST)) + ")",
		"IORING_CQE_F_TSTAMP_HW":              "0x10000",
		"IORING_REGISTER_USE_REGISTERED_RING": "IORING_REGISTER_BUFFERS|IORING_REGISTER_USE_REGISTERED_RING",
	}
	n := 0
	for _, c := range cConsts {
		if c.Type == "" {
			continue
		}
		n++
		want := c.C
		if s, ok := special[c.C]; ok {
			want = s
		}
		if got := print[c.Type](c.Bits); got != want {
			t.Errorf("%s prints as %s, want %s", c.C, got, want)
		}
	}
	if n < 150 {
		t.Errorf("%d typed constants; the table is cut short", n)
	}
}

// TestViews checks that the views of a union are the union's bytes.
func TestViews(t *testing.T) {
	var c sys.ZCRXCtrl
	c.ZCExport().ZCRXFd = 0x01020304
	if got := c.ZCArmEvent().EventType; got != 0x01020304 {
		t.Errorf("wrote 0x01020304 through one view, read %#x through another", got)
	}
	if c.Arg == [6]uint64{} {
		t.Error("the union itself did not change")
	}
	var b sys.BPFCtx
	b.Open().Resolve = 42
	if b.PDU[2] != 42 {
		t.Errorf("PDU = %v, want 42 at the end", b.PDU)
	}
	b.Connect().Family = 7
	if got := b.Socket().Family; got != 7 {
		t.Errorf("wrote 7 through one view, read %d through another", got)
	}
}
