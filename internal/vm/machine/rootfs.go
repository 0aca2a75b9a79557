//go:build linux

// The guest's root file system: the first process, the job, the program with
// its libraries and data, and the few files of /etc that programs read.

package machine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/uring-go/uring/internal/vm/cpio"
	"github.com/uring-go/uring/internal/vm/guest"
)

// maxDirFile is the size, in bytes, up to which a file of the working directory
// is taken along unasked.
const maxDirFile = 1 << 20

// etc has what makes names and users resolve as on any other system.
var etc = map[string]string{
	"etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n",
	"etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
	"etc/passwd":        "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
	"etc/group":         "root:x:0:\nnogroup:x:65534:\n",
	"etc/resolv.conf":   "",
}

// A rootfs writes the archive; a file asked for twice is written once.
type rootfs struct {
	*cpio.Writer
	written map[string]bool
}

// writeRootfs writes the archive for a job to the file name.
func writeRootfs(name, initProgram string, job *guest.Job, c *Config) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	r := &rootfs{Writer: cpio.NewWriter(w), written: map[string]bool{}}
	if err := r.fill(initProgram, job, c); err != nil {
		return fmt.Errorf("the guest's files: %w", err)
	}
	if err := r.Close(); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (r *rootfs) fill(initProgram string, job *guest.Job, c *Config) error {
	// The kernel opens the console for the first process before anything is
	// mounted.
	if err := r.Char("dev/console", 0o600, 5, 1); err != nil {
		return err
	}
	if err := r.Char("dev/null", 0o666, 1, 3); err != nil {
		return err
	}
	for _, dir := range []string{"proc", "sys", "run", "root"} {
		if err := r.Dir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := r.Dir("tmp", 0o1777); err != nil {
		return err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return err
	}
	if err := r.text(strings.TrimPrefix(guest.JobFile, "/"), string(text)); err != nil {
		return err
	}
	if err := r.file("init", initProgram); err != nil {
		return err
	}
	if err := r.program(c.Program, c.Program); err != nil {
		return err
	}
	if err := r.workDir(c.Dir); err != nil {
		return err
	}
	for _, name := range c.Collect {
		if err := r.dir(filepath.Dir(name)); err != nil {
			return err
		}
	}
	for _, dir := range c.CollectDirs {
		if err := r.dir(dir); err != nil {
			return err
		}
	}
	for _, name := range c.Files {
		if err := r.tree(name); err != nil {
			return err
		}
	}
	for name, data := range etc {
		if err := r.text(name, data); err != nil {
			return err
		}
	}
	return nil
}

// workDir takes along what a Go test may read in its directory: the plain files
// that are not large, and all of testdata.
func (r *rootfs) workDir(dir string) error {
	if err := r.dir(dir); err != nil {
		return err
	}
	if dir == "/" {
		return nil // nobody's package
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if e.Name() != "testdata" {
				continue
			}
			if err := r.tree(name); err != nil {
				return err
			}
			continue
		}
		if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > maxDirFile {
			continue // gone in the meantime, or not data
		}
		if err := r.file(name, name); err != nil {
			return err
		}
	}
	return nil
}

// tree takes along a file or a directory with everything in it. Programs bring
// their libraries.
func (r *rootfs) tree(name string) error {
	name, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	// A link that is named itself stands for its target.
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	return filepath.WalkDir(target, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inGuest := name + strings.TrimPrefix(path, target)
		switch info, err := d.Info(); {
		case err != nil:
			return err
		case d.IsDir():
			return r.Dir(inGuest, uint32(info.Mode().Perm()))
		case d.Type().IsRegular() && info.Mode()&0o111 != 0:
			return r.program(inGuest, path)
		case d.Type().IsRegular():
			return r.file(inGuest, path)
		}
		return nil // links, sockets, devices
	})
}

// program takes along a program and the libraries that it needs.
func (r *rootfs) program(inGuest, name string) error {
	libs, err := libraries(name)
	if err != nil {
		return err
	}
	for _, lib := range libs {
		if err := r.file(lib, lib); err != nil {
			return err
		}
	}
	return r.file(inGuest, name)
}

func (r *rootfs) file(inGuest, name string) error {
	inGuest = filepath.Clean("/" + inGuest)
	if r.written[inGuest] {
		return nil
	}
	r.written[inGuest] = true
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return r.File(inGuest, uint32(info.Mode().Perm()), info.Size(), f)
}

// dir makes a directory that the program may write to as any user.
func (r *rootfs) dir(name string) error {
	if name == "/" {
		return nil
	}
	return r.Dir(name, 0o1777)
}

// text writes a file of our own, unless one of that name was taken along.
func (r *rootfs) text(name, data string) error {
	if r.written["/"+name] {
		return nil
	}
	return r.File(name, 0o644, int64(len(data)), strings.NewReader(data))
}
