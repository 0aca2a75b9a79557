package main

// How results are written: to where, aligned, and in which colours.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// output is where a command writes to. What goes wrong is kept until close.
type output struct {
	w     io.Writer
	file  *os.File // behind -o
	paint bool
	err   error
}

// open chooses the output. Colours are for people: only a terminal gets them,
// and not if NO_COLOR is set.
func (o *output) open(c *call) error {
	o.w = c.stdout
	if c.out != "" {
		f, err := os.Create(c.out)
		if err != nil {
			return err
		}
		o.file, o.w = f, f
		return nil
	}
	o.paint = terminal(c.stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return nil
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (o *output) close() error {
	if o.file != nil {
		if err := o.file.Close(); o.err == nil {
			o.err = err
		}
	}
	return o.err
}

// Write makes an output an io.Writer that remembers its first error.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func (o *output) printf(format string, args ...any) { fmt.Fprintf(o, format, args...) }

// document writes v as one JSON document.
func (o *output) document(v any) {
	e := json.NewEncoder(o)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	// What cannot be encoded is a fault of this program.
	if err := e.Encode(v); err != nil && o.err == nil {
		o.err = err
	}
}

// Colours, as terminals number them.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

// colours has those of the words that matter.
var colours = map[string]string{
	"ok": green, "warn": yellow, "fail": red,
	"yes": green, "no": red, "unknown": yellow,
	"equal": green, "different": red, "untried": yellow, "skipped": yellow,
}

// word returns a word in its colour, if there are colours.
func (o *output) word(s string) string {
	if c := colours[strings.TrimSpace(s)]; o.paint && c != "" {
		return "\x1b[" + c + "m" + s + "\x1b[0m"
	}
	return s
}

// A table is text in columns.
type table struct {
	indent string
	rows   [][]string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the rows with columns two spaces apart. Colours take no room.
func (t *table) write(w io.Writer) {
	var width []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], visible(cell))
		}
	}
	for _, row := range t.rows {
		var b strings.Builder
		pad := 0
		for i, cell := range row {
			if cell == "" {
				pad += width[i] + 2
				continue
			}
			b.WriteString(strings.Repeat(" ", pad))
			b.WriteString(cell)
			pad = width[i] - visible(cell) + 2
		}
		fmt.Fprintf(w, "%s%s\n", t.indent, b.String())
	}
}

// visible counts the characters of s that a terminal shows.
func visible(s string) int {
	n := utf8.RuneCountInString(s)
	for rest := s; ; {
		_, after, found := strings.Cut(rest, "\x1b[")
		if !found {
			return n
		}
		code, after, _ := strings.Cut(after, "m")
		n -= len("\x1b[") + len(code) + len("m")
		rest = after
	}
}
