//go:build linux

// Fetching a kernel into the cache, and finding it there.

package kernel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// An Image is a kernel in the cache, ready to be booted.
type Image struct {
	Spec    Spec   `json:"-"`
	Dir     string `json:"-"`
	Version string // Debian's, such as 6.1.176-1
	Suite   string
	Package string
	Kernel  string // the file's path below Dir
}

// Path returns the path of the kernel's file.
func (m Image) Path() string { return filepath.Join(m.Dir, m.Kernel) }

// CacheDir returns the directory that holds everything that is fetched or built:
// uring-kernels in the user's cache directory.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "uring-kernels"), nil
}

// Lookup returns a kernel that is in the cache already. Otherwise the error is
// fs.ErrNotExist.
func Lookup(spec Spec) (Image, error) {
	cache, err := CacheDir()
	if err != nil {
		return Image{}, err
	}
	m := Image{Spec: spec, Dir: filepath.Join(cache, spec.dir())}
	text, err := os.ReadFile(filepath.Join(m.Dir, "image.json"))
	if err != nil {
		return Image{}, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return Image{}, fmt.Errorf("%s: %w; remove the directory to fetch the kernel again", m.Dir, err)
	}
	return m, nil
}

// Fetch returns a kernel from the cache, where it puts it first if need be.
// Processes that fetch at the same time wait for each other.
func Fetch(ctx context.Context, spec Spec) (Image, error) {
	m, err := Lookup(spec)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	cache, err := CacheDir()
	if err != nil {
		return Image{}, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Image{}, err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	m, err = Lookup(spec) // another process may have been faster
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	tmp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(tmp)
	m, err = fetch(ctx, spec, filepath.Join(cache, "apt"), tmp)
	if err != nil {
		return Image{}, fmt.Errorf("kernel %v cannot be had: %w", spec, err)
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return Image{}, err
	}
	if err := os.WriteFile(filepath.Join(m.Dir, "image.json"), text, 0o644); err != nil {
		return Image{}, err
	}
	// One rename makes the kernel appear whole or not at all.
	dir := filepath.Join(cache, spec.dir())
	if err := os.Rename(m.Dir, dir); err != nil {
		return Image{}, err
	}
	m.Dir = dir
	return m, nil
}

// fetch looks for the kernel in the suites that may have it.
func fetch(ctx context.Context, spec Spec, aptDir, tmp string) (Image, error) {
	var failed error
	for _, suite := range spec.suites() {
		a, err := openArchive(ctx, aptDir, suite, spec.Arch())
		if err == nil {
			var m Image
			if spec.UML {
				m, err = fetchUML(ctx, a, spec, tmp)
			} else {
				m, err = fetchPackage(ctx, a, spec, tmp)
			}
			if err == nil {
				m.Spec, m.Suite = spec, suite
				return m, nil
			}
		}
		if ctx.Err() != nil {
			return Image{}, ctx.Err()
		}
		if failed == nil || !strings.Contains(failed.Error(), err.Error()) {
			failed = errors.Join(failed, err)
		}
	}
	return Image{}, failed
}

// fetchPackage fetches a kernel for QEMU.
func fetchPackage(ctx context.Context, a *archive, spec Spec, tmp string) (Image, error) {
	names, err := a.names(ctx, "linux-")
	if err != nil {
		return Image{}, err
	}
	for _, pkg := range choose(names, spec.Series, spec.Flavour) {
		unpacked := filepath.Join(tmp, "unpacked")
		if err := a.unpack(ctx, pkg, tmp, unpacked); err != nil {
			return Image{}, err
		}
		file, err := findKernel(unpacked)
		if err != nil {
			return Image{}, err
		}
		if file == "" {
			continue // an empty wrapper
		}
		m := Image{Package: pkg, Dir: filepath.Join(tmp, "image")}
		if m.Version, err = a.version(ctx, pkg); err != nil {
			return Image{}, err
		}
		if err := os.Mkdir(m.Dir, 0o755); err != nil {
			return Image{}, err
		}
		m.Kernel, err = convert(ctx, spec.Arch(), file, m.Dir)
		return m, err
	}
	return Image{}, fmt.Errorf("%s has no kernel of series %s for %s", a.suite, spec.Series, spec.Flavour)
}

// findKernel returns the path of the kernel's file in an unpacked package, or ""
// if there is none: boot/vmlinuz-… up to 6.18, usr/lib/modules/…/vmlinuz later,
// vmlinux where the architecture does not compress it.
func findKernel(dir string) (string, error) {
	found := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasPrefix(d.Name(), "vmlinu") {
			found = path
			return fs.SkipAll
		}
		return err
	})
	return found, err
}

// lock takes the file's lock, which the kernel gives back when the process ends.
func lock(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR {
			f.Close()
			return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
