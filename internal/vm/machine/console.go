//go:build linux

// The kernel's messages, which the emulator writes to a file.

package machine

import (
	"bytes"
	"io"
	"os"
	"time"
)

// A consoleTail copies the console's file as it grows.
type consoleTail struct{ quit, done chan struct{} }

// followConsole starts to copy the file to w.
func followConsole(name string, w io.Writer) *consoleTail {
	t := &consoleTail{make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(t.done)
		for last := false; ; {
			if f, err := os.Open(name); err == nil {
				defer f.Close()
				t.copy(w, f)
				return
			}
			if last {
				return
			}
			last = t.pause()
		}
	}()
	return t
}

// copy copies until stop is called, and then what is left.
func (t *consoleTail) copy(w io.Writer, r io.Reader) {
	for last := false; ; {
		if _, err := io.Copy(w, r); err != nil || last {
			return
		}
		last = t.pause()
	}
}

// pause waits a moment and reports whether it is the last one.
func (t *consoleTail) pause() bool {
	select {
	case <-t.quit:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

// stop ends the copying, once all is copied. A nil t has nothing to stop.
func (t *consoleTail) stop() {
	if t != nil {
		close(t.quit)
		<-t.done
	}
}

// lastLines returns the last n lines of text without carriage returns, which
// serial consoles put at the end of lines.
func lastLines(text []byte, n int) string {
	text = bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r"), nil))
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] != '\n' {
			continue
		}
		if n--; n == 0 {
			text = text[i+1:]
			break
		}
	}
	return string(text)
}
