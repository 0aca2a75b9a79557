// Package cpio writes archives in the "newc" format, the one that the Linux
// kernel unpacks into its first root file system (initramfs).
//
// It writes what package vm needs and no more: directories, regular files and
// character devices, all owned by root. Directories that lead to an entry are
// written when they are first needed.
package cpio

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
)

const (
	magic     = "070701"
	headerLen = 110 // the magic and 13 numbers of 8 hexadecimal digits
	trailer   = "TRAILER!!!"

	modeDir  = 0o040000
	modeChar = 0o020000
	modeFile = 0o100000
)

// A Writer writes one archive. Its methods stop at the first error, which
// every later call returns again; Close must be called to finish the archive.
type Writer struct {
	w     io.Writer
	err   error
	off   int64
	ino   uint32
	known map[string]bool // directories written so far, without slashes at the ends
}

// NewWriter returns a Writer that writes to w. A buffered w helps: entries are
// written in small pieces.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, known: map[string]bool{"": true}}
}

// Dir writes a directory and those above it. A directory that is there already
// keeps its permissions.
func (c *Writer) Dir(name string, perm uint32) error {
	name, err := clean(name)
	if err != nil {
		return err
	}
	return c.dir(name, perm)
}

func (c *Writer) dir(name string, perm uint32) error {
	if c.known[name] {
		return c.err
	}
	if err := c.parent(name); err != nil {
		return err
	}
	c.known[name] = true
	return c.header(name, modeDir|perm&0o7777, 0, 0, 0)
}

// File writes a regular file of exactly size bytes, which it reads from r.
func (c *Writer) File(name string, perm uint32, size int64, r io.Reader) error {
	name, err := clean(name)
	if err != nil {
		return err
	}
	if size < 0 || size > math.MaxUint32 {
		return fmt.Errorf("cpio: %s: size %d is outside 0 to %d", name, size, uint32(math.MaxUint32))
	}
	if err := c.parent(name); err != nil {
		return err
	}
	if err := c.header(name, modeFile|perm&0o7777, uint32(size), 0, 0); err != nil {
		return err
	}
	n, err := io.Copy(c.w, io.LimitReader(r, size))
	c.off += n
	switch {
	case err != nil:
		c.err = fmt.Errorf("cpio: %s: %w", name, err)
	case n < size:
		c.err = fmt.Errorf("cpio: %s: %d bytes, want %d: %w", name, n, size, io.ErrUnexpectedEOF)
	}
	return c.pad(4)
}

// Char writes a character device.
func (c *Writer) Char(name string, perm, major, minor uint32) error {
	name, err := clean(name)
	if err != nil {
		return err
	}
	if err := c.parent(name); err != nil {
		return err
	}
	return c.header(name, modeChar|perm&0o7777, 0, major, minor)
}

// Close writes the end of the archive. It does not close the underlying writer.
func (c *Writer) Close() error {
	c.ino = 0
	c.header(trailer, 0, 0, 0, 0)
	c.pad(512)
	if c.err != nil {
		return c.err
	}
	c.err = errors.New("cpio: the archive is closed")
	return nil
}

// clean turns a path into the form that archives use, without a leading slash.
// The kernel would unpack ".." too: nobody means that.
func clean(name string) (string, error) {
	c := strings.TrimPrefix(path.Clean("/"+name), "/")
	if c == "" || c == trailer || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("cpio: %q cannot be the name of an entry", name)
	}
	return c, nil
}

func (c *Writer) parent(name string) error {
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		return c.dir(name[:i], 0o755)
	}
	return c.err
}

func (c *Writer) header(name string, mode, size, major, minor uint32) error {
	links := 1
	if mode&modeDir != 0 {
		links = 2
	}
	// Every entry has its own inode number, for equal ones would be hard links.
	// Owner, group and time are 0, so equal contents make equal archives.
	c.writef("%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		magic, c.ino, mode, 0, 0, links, 0, size, 0, 0, major, minor, len(name)+1, 0, name)
	c.ino++
	return c.pad(4)
}

func (c *Writer) pad(to int64) error {
	if n := -c.off & (to - 1); n > 0 {
		c.writef("%s", make([]byte, n))
	}
	return c.err
}

func (c *Writer) writef(format string, args ...any) {
	if c.err != nil {
		return
	}
	n, err := fmt.Fprintf(c.w, format, args...)
	c.off += int64(n)
	if err != nil {
		c.err = fmt.Errorf("cpio: %w", err)
	}
}
