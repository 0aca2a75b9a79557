//go:build linux

package main

// Reading a tree of files with package os: what is to be copied, and what came
// out.

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// A tree is what lies below a directory.
type tree struct {
	root   string
	dirs   []string // relative to root, parents first, without root itself
	files  []file   // regular files, in lexical order
	links  int      // symbolic links, which are not followed
	others int      // sockets, devices and so on
}

// A file is a regular file and what is in it.
type file struct {
	path string // relative to the root
	size int64
	mode fs.FileMode // permissions; the kernel takes setuid and setgid away on a write
	sum  [sha256.Size]byte
}

func (t *tree) bytes() (n int64) {
	for i := range t.files {
		n += t.files[i].size
	}
	return n
}

// readTree lists the tree at root and reads all of its files.
func readTree(ctx context.Context, root string) (*tree, error) {
	t := &tree{root: root}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || path == root && d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			t.dirs = append(t.dirs, rel)
		case d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return err
			}
			t.files = append(t.files, file{path: rel, size: info.Size(), mode: info.Mode().Perm()})
		case d.Type() == fs.ModeSymlink:
			t.links++
		default:
			t.others++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(t.files) == 0 {
		return nil, fmt.Errorf("there are no files in %s", root)
	}
	return t, t.hash(ctx)
}

// hash reads the files.
func (t *tree) hash(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *file)
	var readers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		readers.Go(func() {
			for f := range next {
				if err := f.hash(t.root); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range t.files {
		if ctx.Err() != nil {
			break
		}
		next <- &t.files[i]
	}
	close(next)
	readers.Wait()
	return context.Cause(ctx)
}

func (f *file) hash(root string) error {
	r, err := os.Open(filepath.Join(root, f.path))
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return err
	}
	if n != f.size {
		return fmt.Errorf("%s has %d bytes and had %d a moment ago", r.Name(), n, f.size)
	}
	h.Sum(f.sum[:0])
	return nil
}

// differences says in which files got is not what want is.
func differences(want, got *tree) []string {
	var out []string
	have := make(map[string]*file, len(got.files))
	for i := range got.files {
		have[got.files[i].path] = &got.files[i]
	}
	for i := range want.files {
		w := &want.files[i]
		g := have[w.path]
		delete(have, w.path)
		switch {
		case g == nil:
			out = append(out, w.path+" is missing")
		case g.size != w.size:
			out = append(out, fmt.Sprintf("%s has %d bytes instead of %d", w.path, g.size, w.size))
		case g.sum != w.sum:
			out = append(out, w.path+" has other contents")
		case g.mode != w.mode:
			out = append(out, fmt.Sprintf("%s has mode %v instead of %v", w.path, g.mode, w.mode))
		}
	}
	for i := range got.files {
		if have[got.files[i].path] != nil {
			out = append(out, got.files[i].path+" is in the copy only")
		}
	}
	if n := got.links + got.others; n > 0 {
		out = append(out, fmt.Sprintf("%d files in the copy are no regular files", n))
	}
	return out
}
