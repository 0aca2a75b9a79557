//go:build linux && cgo && !uringgo

package sys_test

// ParseRecvmsgOut against liburing's io_uring_recvmsg_ functions, on random
// buffers.

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uring-go/uring/internal/cref"
	"github.com/uring-go/uring/sys"
)

func TestParseRecvmsgOutAgainstC(t *testing.T) {
	if unix.SizeofPtr != 8 {
		t.Skip("the random control messages have lengths of 64 bits")
	}
	major, minor := cref.Version()
	rng := rand.New(rand.NewPCG(*prepSeed, 0))
	// Before 2.15 liburing adds the lengths without looking for overflow.
	overflowSafe := major > 2 || minor >= 15
	var valid, invalid, found, unpadded, malformed int
	for range 100_000 {
		buf := make([]byte, rng.IntN(400))
		for i := range buf {
			buf[i] = byte(rng.Uint32())
		}
		namelen, controllen := uint32(rng.IntN(64)), uint64(rng.IntN(256))
		if overflowSafe && rng.IntN(8) == 0 {
			controllen = -uint64(namelen) - 16 + uint64(rng.IntN(400))
		}
		if rng.IntN(64) == 0 {
			namelen = rng.Uint32()
		}
		msg := &unix.Msghdr{Namelen: namelen}
		msg.SetControllen(int(controllen))
		if len(buf) >= 16 {
			// Mostly lengths that the kernel could have written.
			if rng.IntN(4) != 0 {
				binary.NativeEndian.PutUint32(buf[0:], uint32(rng.IntN(80)))
				binary.NativeEndian.PutUint32(buf[4:], uint32(rng.Uint64N(min(controllen, 1<<20)+1)))
				binary.NativeEndian.PutUint32(buf[8:], uint32(rng.IntN(300)))
			}
			// Mostly control messages with good lengths.
			for at := 16 + uint64(namelen); at+unix.SizeofCmsghdr <= uint64(len(buf)) && rng.IntN(8) != 0; {
				n := uint64(unix.CmsgLen(rng.IntN(24)))
				binary.NativeEndian.PutUint64(buf[at:], n)
				at += (n + 7) &^ 7
			}
		}

		c := cref.ParseRecvmsg(buf, namelen, controllen)
		v, err := sys.ParseRecvmsgOut(buf, msg)
		if c.Valid != (err == nil) {
			t.Fatalf("%d bytes for %d and %d: liburing accepts them: %v, we: %v", len(buf), namelen, controllen, c.Valid, err)
		}
		if err != nil {
			invalid++
			continue
		}
		valid++
		if c.Name != 16 || c.Payload != 16+int(namelen)+int(controllen) {
			t.Fatalf("liburing's name begins at %d, its payload at %d", c.Name, c.Payload)
		}
		if len(v.Name()) > 0 && &v.Name()[0] != &buf[c.Name] || len(v.Payload()) > 0 && &v.Payload()[0] != &buf[c.Payload] {
			t.Fatal("name or payload begins elsewhere than liburing's")
		}
		// liburing takes all that follows for payload; we stop where the header says.
		payloadlen := int(binary.NativeEndian.Uint32(buf[8:]))
		if want := min(c.PayloadLen, payloadlen); len(v.Payload()) != want {
			t.Fatalf("a payload of %d bytes, want %d: liburing has %d, the header %d", len(v.Payload()), want, c.PayloadLen, payloadlen)
		}

		out := uint64(binary.NativeEndian.Uint32(buf[4:]))
		if out > controllen {
			continue // the kernel does not do that, and liburing would run out of the buffer
		}
		var ours []int
		at := 16 + int(namelen)
		for h := range v.ControlMessages() {
			ours = append(ours, at)
			at += (int(h.Len) + 7) &^ 7
		}
		end := 16 + int(namelen) + int(out)
		theirs := c.Messages
		if n := len(theirs); n > 0 {
			// liburing gives out the first one without a look at its length.
			last := theirs[n-1]
			if l := binary.NativeEndian.Uint64(buf[last:]); l < unix.SizeofCmsghdr || l > uint64(end-last) {
				theirs = theirs[:n-1]
				malformed++
			}
		}
		if n := len(ours); n == len(theirs)+1 {
			// It leaves out one whose padding does not fit, which the kernel writes
			// when the space ends there.
			last := ours[n-1]
			if l := int(binary.NativeEndian.Uint64(buf[last:])); last+(l+7)&^7 > end {
				ours = ours[:n-1]
				unpadded++
			}
		}
		if len(ours) != len(theirs) {
			t.Fatalf("control messages at %d, liburing's at %d (of %d to %d)", ours, theirs, 16+namelen, end)
		}
		for i := range ours {
			if ours[i] != theirs[i] {
				t.Fatalf("control messages at %d, liburing's at %d", ours, theirs)
			}
		}
		found += len(ours)
	}
	t.Logf("liburing %d.%d: %d valid and %d invalid buffers alike, %d control messages; liburing alone gives out %d malformed ones, we alone %d without padding",
		major, minor, valid, invalid, found, malformed, unpadded)
	if valid == 0 || invalid == 0 || found == 0 || malformed == 0 || unpadded == 0 {
		t.Error("one of these never happened: the input does not test what it should")
	}
}
