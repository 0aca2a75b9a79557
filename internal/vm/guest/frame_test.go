//go:build linux

package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

type frame struct {
	Kind Kind
	Data string
}

func TestFrames(t *testing.T) {
	var line bytes.Buffer
	line.WriteString("firmware says \x00vm fr hello\r\n") // part of the preamble even
	w := NewFrameWriter(&line)
	long := strings.Repeat("0123456789abcdef", MaxPayload/16) // one full frame
	exit := Exit{Status: 42, Run: 3 * time.Second, Stdout: 7}
	for _, err := range []error{
		w.Write(KindStdout, []byte("out\n")),
		w.Write(KindStderr, nil),
		w.Write(KindData, []byte(long+"rest")),
		w.WriteJSON(KindExit, exit),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := line.String()
	// One byte at a time is how a serial line delivers.
	r := NewFrameReader(iotest.OneByteReader(&line))
	want := []frame{{KindStdout, "out\n"}, {KindStderr, ""}, {KindData, long}, {KindData, "rest"}}
	var got []frame
	for range want {
		kind, data, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, frame{kind, string(data)})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
	kind, data, err := r.Next()
	var parsed Exit
	if err != nil || kind != KindExit || json.Unmarshal(data, &parsed) != nil || parsed != exit {
		t.Errorf("last frame: %q %q, %v, want %+v", byte(kind), data, err, exit)
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last frame: %v, want io.EOF", err)
	}
	// Wherever the guest dies, the reader notices.
	for cut := 0; cut < len(whole); cut += 1 + cut/50 {
		r := NewFrameReader(strings.NewReader(whole[:cut]))
		var err error
		var kind Kind
		for err == nil {
			if kind, _, err = r.Next(); err == nil && kind == KindExit {
				t.Fatalf("an exit frame in the first %d of %d bytes", cut, len(whole))
			}
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("after %d bytes: %v", cut, err)
		}
	}
}

func TestFrameErrors(t *testing.T) {
	r := NewFrameReader(strings.NewReader(string(preamble) + "o\xff\xff\xff\xffabc"))
	if _, _, err := r.Next(); err == nil || !strings.Contains(err.Error(), "4294967295") {
		t.Errorf("a length of 4 GiB: %v, want an error that names it", err)
	}
	if err := NewFrameWriter(io.Discard).WriteJSON(KindExit, strings.Repeat("x", MaxPayload)); err == nil {
		t.Error("a JSON text longer than a frame gave no error")
	}
	full := errors.New("line is down")
	w := NewFrameWriter(writerFunc(func([]byte) (int, error) { return 0, full }))
	for range 2 {
		if err := w.Write(KindStdout, []byte("x")); !errors.Is(err, full) {
			t.Errorf("Write: %v, want %v", err, full)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
