//go:build linux

// Frames: a byte for the kind, four for the length, the payload. One serial line
// carries them all, so that stdout stays exact, its order against stderr is
// kept, and nothing is lost between the last output and the exit status.

package guest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// MaxPayload is the longest payload, in bytes.
const MaxPayload = 32 << 10

// preamble goes before the first frame. What comes before it on the line, from
// firmware for example, is none of ours.
var preamble = []byte("\x00vm frames 1\n")

// A FrameWriter writes frames; several goroutines may use one.
type FrameWriter struct {
	mu      sync.Mutex
	w       io.Writer
	buf     []byte
	started bool
}

// NewFrameWriter returns a FrameWriter that writes to w.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// Write writes data as frames of the given kind, as many as it takes.
func (f *FrameWriter) Write(kind Kind, data []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.started {
		if _, err := f.w.Write(preamble); err != nil {
			return err
		}
		f.started = true
	}
	for {
		n := min(len(data), MaxPayload)
		f.buf = append(f.buf[:0], byte(kind))
		f.buf = binary.BigEndian.AppendUint32(f.buf, uint32(n))
		f.buf = append(f.buf, data[:n]...)
		if _, err := f.w.Write(f.buf); err != nil {
			return err
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
	}
}

// WriteJSON writes v in one frame.
func (f *FrameWriter) WriteJSON(kind Kind, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > MaxPayload {
		return fmt.Errorf("a frame of %d bytes, at most %d are possible", len(text), MaxPayload)
	}
	return f.Write(kind, text)
}

// A FrameReader reads frames.
type FrameReader struct {
	r       io.Reader
	buf     []byte
	started bool
}

// NewFrameReader returns a FrameReader that reads from r. A buffered r helps.
func NewFrameReader(r io.Reader) *FrameReader { return &FrameReader{r: r} }

// Next returns the next frame; its payload is valid until the next call. The
// error is io.EOF after the last frame, and io.ErrUnexpectedEOF inside of one.
func (f *FrameReader) Next() (Kind, []byte, error) {
	if !f.started {
		if err := f.findPreamble(); err != nil {
			return 0, nil, err
		}
		f.started = true
	}
	var head [5]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return 0, nil, err
	}
	kind, n := Kind(head[0]), binary.BigEndian.Uint32(head[1:])
	if n > MaxPayload {
		return 0, nil, fmt.Errorf("frame of kind %q and %d bytes, at most %d are possible: the line is disturbed", byte(kind), n, MaxPayload)
	}
	if cap(f.buf) < int(n) {
		f.buf = make([]byte, MaxPayload)
	}
	f.buf = f.buf[:n]
	if _, err := io.ReadFull(f.r, f.buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, f.buf, nil
}

func (f *FrameReader) findPreamble() error {
	var b [1]byte
	seen := make([]byte, 0, 2*len(preamble))
	for {
		if _, err := io.ReadFull(f.r, b[:]); err != nil {
			return err
		}
		if seen = append(seen, b[0]); bytes.HasSuffix(seen, preamble) {
			return nil
		}
		if len(seen) == cap(seen) {
			seen = append(seen[:0], seen[len(seen)-len(preamble):]...)
		}
	}
}
