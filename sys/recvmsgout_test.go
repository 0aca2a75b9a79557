//go:build linux

package sys_test

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/sys"
)

// recvmsgBuffer builds what the kernel would: the header's fields, then the
// parts, each padded to its space, except the payload.
func recvmsgBuffer(out sys.RecvmsgOut, name []byte, nameCap int, control []byte, controlCap int, payload []byte) []byte {
	b, _ := binary.Append(nil, binary.NativeEndian, out)
	b = append(append(b, name...), make([]byte, nameCap-len(name))...)
	b = append(append(b, control...), make([]byte, controlCap-len(control))...)
	return append(b, payload...)
}

func msghdr(namelen, controllen int) *unix.Msghdr {
	m := &unix.Msghdr{Namelen: uint32(namelen)}
	m.SetControllen(controllen)
	return m
}

// cmsg returns a control message of SOL_SOCKET, padded or not.
func cmsg(typ int32, data string, padded bool) []byte {
	var h unix.Cmsghdr
	h.SetLen(unix.CmsgLen(len(data)))
	h.Level, h.Type = unix.SOL_SOCKET, typ
	b, _ := binary.Append(nil, binary.NativeEndian, h)
	b = append(b, data...)
	if padded {
		b = append(b, make([]byte, unix.CmsgSpace(len(data))-len(b))...)
	}
	return b
}

type message struct {
	Level, Type int32
	Len         int
	Data        string
}

func messages(v *sys.RecvmsgView) (all []message) {
	for h, data := range v.ControlMessages() {
		all = append(all, message{h.Level, h.Type, int(h.Len), string(data)})
	}
	return all
}

func TestParseRecvmsgOut(t *testing.T) {
	from := netip.MustParseAddrPort("192.0.2.1:4242")
	var sa unix.RawSockaddrAny
	n, err := sys.SockaddrInet(from, &sa)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := binary.Append(nil, binary.NativeEndian, &sa)
	name = name[:n]
	control := append(cmsg(1, "seven b", true), cmsg(2, "four", false)...)
	out := sys.RecvmsgOut{Namelen: n, Controllen: uint32(len(control)), Payloadlen: 5}
	buf := recvmsgBuffer(out, name, 28, control, 100, []byte("hello"))

	v, err := sys.ParseRecvmsgOut(buf, msghdr(28, 100))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.AddrPort(); got != from || err != nil {
		t.Errorf("AddrPort: %v, %v, want %v", got, err, from)
	}
	if string(v.Name()) != string(name) || string(v.Control()) != string(control) || string(v.Payload()) != "hello" {
		t.Errorf("Name % x, Control % x, Payload %q", v.Name(), v.Control(), v.Payload())
	}
	if v.NameTruncated() || v.ControlTruncated() || v.PayloadTruncated() || v.Flags() != 0 || v.PayloadLen() != 5 {
		t.Errorf("truncated: name %v, control %v, payload %v, flags %#x, length %d",
			v.NameTruncated(), v.ControlTruncated(), v.PayloadTruncated(), v.Flags(), v.PayloadLen())
	}
	want := []message{
		{unix.SOL_SOCKET, 1, unix.CmsgLen(7), "seven b"},
		{unix.SOL_SOCKET, 2, unix.CmsgLen(4), "four"},
	}
	if diff := cmp.Diff(want, messages(&v)); diff != "" {
		t.Errorf("control messages (-want +got):\n%s", diff)
	}
	for range v.ControlMessages() {
		break // must not go on
	}
	// The slices must not let an append run into the next part.
	for _, s := range [][]byte{v.Name(), v.Control()} {
		if len(s) != cap(s) {
			t.Errorf("a part of %d bytes has capacity %d", len(s), cap(s))
		}
	}
}

func TestParseRecvmsgOutTruncated(t *testing.T) {
	// The kernel reports lengths from before it cut.
	out := sys.RecvmsgOut{Namelen: 30, Controllen: 20, Payloadlen: 9000, Flags: unix.MSG_TRUNC | unix.MSG_CTRUNC}
	buf := recvmsgBuffer(out, make([]byte, 8), 8, make([]byte, 20), 20, []byte("hello"))
	v, err := sys.ParseRecvmsgOut(buf, msghdr(8, 20))
	if err != nil {
		t.Fatal(err)
	}
	if !v.NameTruncated() || !v.ControlTruncated() || !v.PayloadTruncated() {
		t.Errorf("truncated: name %v, control %v, payload %v, want all", v.NameTruncated(), v.ControlTruncated(), v.PayloadTruncated())
	}
	if len(v.Name()) != 8 || len(v.Control()) != 20 || string(v.Payload()) != "hello" || v.PayloadLen() != 9000 {
		t.Errorf("Name has %d bytes, Control %d, Payload is %q of %d", len(v.Name()), len(v.Control()), v.Payload(), v.PayloadLen())
	}
	if _, err := v.AddrPort(); !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("AddrPort of family 0: %v, want EAFNOSUPPORT", err)
	}
}

// A caller who passes the whole provided buffer instead of the part that was
// used still gets the message alone.
func TestParseRecvmsgOutWholeBuffer(t *testing.T) {
	buf := recvmsgBuffer(sys.RecvmsgOut{Payloadlen: 5}, nil, 16, nil, 0, []byte("hello, and what was there before"))
	v, err := sys.ParseRecvmsgOut(buf, msghdr(16, 0))
	if err != nil {
		t.Fatal(err)
	}
	if string(v.Payload()) != "hello" || len(v.Name()) != 0 || len(v.Control()) != 0 {
		t.Errorf("Name has %d bytes, Control %d, Payload is %q", len(v.Name()), len(v.Control()), v.Payload())
	}
}

func TestParseRecvmsgOutTooShort(t *testing.T) {
	full := make([]byte, 16+8+20)
	for n := range full {
		if _, err := sys.ParseRecvmsgOut(full[:n], msghdr(8, 20)); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes: error %v, want EINVAL", n, err)
		}
	}
	if _, err := sys.ParseRecvmsgOut(full, msghdr(8, 20)); err != nil {
		t.Errorf("%d bytes: %v", len(full), err)
	}
	// Lengths whose sum overflows.
	for _, m := range []*unix.Msghdr{msghdr(-1, 0), msghdr(0, -1), msghdr(-1, -1), msghdr(29, -29), msghdr(0, math.MaxInt), msghdr(8, math.MinInt)} {
		if _, err := sys.ParseRecvmsgOut(full, m); !errors.Is(err, unix.EINVAL) {
			t.Errorf("a msghdr with lengths %d and %d: error %v, want EINVAL", m.Namelen, m.Controllen, err)
		}
	}
}

func TestControlMessagesMalformed(t *testing.T) {
	good := cmsg(1, "good", true)
	for _, tt := range []struct {
		name string
		len  int
	}{
		{"zero", 0},
		{"less than a header", unix.SizeofCmsghdr - 1},
		{"more than is left", unix.CmsgLen(9)},
		{"-1", -1},
		{"greatest", math.MaxInt},
	} {
		bad := cmsg(2, "12345678", true)
		var h unix.Cmsghdr
		h.SetLen(tt.len)
		b, _ := binary.Append(nil, binary.NativeEndian, h)
		copy(bad, b[:unix.SizeofCmsghdr-8])
		control := append(append([]byte(nil), good...), bad...)
		v, err := sys.ParseRecvmsgOut(recvmsgBuffer(sys.RecvmsgOut{Controllen: uint32(len(control))}, nil, 0, control, len(control), nil), msghdr(0, len(control)))
		if err != nil {
			t.Fatal(err)
		}
		want := []message{{unix.SOL_SOCKET, 1, unix.CmsgLen(4), "good"}}
		if diff := cmp.Diff(want, messages(&v)); diff != "" {
			t.Errorf("a length that is %s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParseRecvmsgOutAllocates(t *testing.T) {
	control := cmsg(1, "data", true)
	buf := recvmsgBuffer(sys.RecvmsgOut{Controllen: uint32(len(control)), Payloadlen: 1}, nil, 16, control, len(control), []byte("x"))
	msg := msghdr(16, len(control))
	n := testing.AllocsPerRun(100, func() {
		v, err := sys.ParseRecvmsgOut(buf, msg)
		if err != nil {
			t.Fatal(err)
		}
		for range v.ControlMessages() {
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzParseRecvmsgOut checks that a view stays within its buffer.
func FuzzParseRecvmsgOut(f *testing.F) {
	control := append(cmsg(1, "seven b", true), cmsg(2, "four", false)...)
	out := sys.RecvmsgOut{Namelen: 4, Controllen: uint32(len(control)), Payloadlen: 5}
	f.Add(recvmsgBuffer(out, []byte("name"), 28, control, 100, []byte("hello")), uint32(28), uint32(100))
	f.Add(recvmsgBuffer(sys.RecvmsgOut{Namelen: math.MaxUint32, Controllen: math.MaxUint32, Payloadlen: math.MaxUint32}, nil, 0, nil, 0, nil), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, namelen, controllen uint32) {
		buf := data[:len(data):len(data)]
		msg := msghdr(int(namelen), int(controllen))
		v, err := sys.ParseRecvmsgOut(buf, msg)
		fits := uint64(len(buf)) >= 16+uint64(msg.Namelen)+uint64(msg.Controllen)
		if (err == nil) != fits {
			t.Fatalf("%d bytes for 16+%d+%d: error %v", len(buf), msg.Namelen, msg.Controllen, err)
		}
		if err != nil {
			return
		}
		nameAt, controlAt := 16, 16+int(namelen)
		payloadAt := controlAt + int(controllen)
		within(t, "name", v.Name(), buf[nameAt:controlAt])
		within(t, "control", v.Control(), buf[controlAt:payloadAt])
		within(t, "payload", v.Payload(), buf[payloadAt:])
		rest := len(v.Control())
		for h, data := range v.ControlMessages() {
			if int(h.Len) != unix.SizeofCmsghdr+len(data) || cap(data) != len(data) {
				t.Fatalf("a control message of length %d has %d bytes of data, capacity %d", h.Len, len(data), cap(data))
			}
			if rest -= int(h.Len); rest < 0 {
				t.Fatal("control messages are longer than the space they are in")
			}
		}
		_, _ = v.AddrPort()
	})
}

// within fails unless part is the beginning of space.
func within(t *testing.T, name string, part, space []byte) {
	t.Helper()
	if len(part) > len(space) || cap(part) != len(part) {
		t.Fatalf("%s has %d bytes, capacity %d, in a space of %d", name, len(part), cap(part), len(space))
	}
	if len(part) > 0 && &part[0] != &space[0] {
		t.Fatalf("%s does not begin where its space does", name)
	}
}
