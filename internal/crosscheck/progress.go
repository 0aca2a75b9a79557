//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A progress shows what is going on: on a terminal in one line that is
// overwritten, elsewhere in a line for each stage and one every few seconds.
type progress struct {
	w        io.Writer
	terminal bool
	shown    bool      // the terminal's line holds something
	next     time.Time // not before then
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		p.terminal = err == nil && os.Getenv("TERM") != "dumb"
	}
	return p
}

// say shows the beginning of a stage.
func (p *progress) say(format string, args ...any) {
	p.next = time.Time{}
	p.line(format, args...)
}

// line shows how far it is, unless it was shown a moment ago.
func (p *progress) line(format string, args ...any) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	text := fmt.Sprintf(format, args...)
	if p.terminal {
		p.next = now.Add(100 * time.Millisecond)
		p.shown = true
		fmt.Fprintf(p.w, "\r%s\x1b[K", text)
		return
	}
	p.next = now.Add(5 * time.Second)
	fmt.Fprintln(p.w, text)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.next = time.Time{}
}
