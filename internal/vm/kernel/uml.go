//go:build linux

// User-mode Linux: a kernel that is a program. Debian has it in the package
// user-mode-linux.

package kernel

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// UMLLoader is the name of the dynamic loader in the directory of a user-mode
// kernel. The program names it relative to the working directory: run it there,
// and with LD_LIBRARY_PATH set to the same place.
const UMLLoader = "./ld.so"

// fetchUML fetches a user-mode kernel and the C library of the same suite. A
// newer suite's kernel needs a newer library than this machine may have.
func fetchUML(ctx context.Context, a *archive, spec Spec, tmp string) (Image, error) {
	const pkg = "user-mode-linux"
	m := Image{Package: pkg, Kernel: "linux", Dir: filepath.Join(tmp, "image")}
	var err error
	if m.Version, err = a.version(ctx, pkg); err != nil {
		return Image{}, err
	}
	if !(pkgName{version: m.Version}).inSeries(spec.Series) {
		return Image{}, fmt.Errorf("%s has user-mode Linux %s, not of series %s", a.suite, m.Version, spec.Series)
	}
	unpacked := filepath.Join(tmp, "unpacked")
	for _, p := range []string{pkg, "libc6"} {
		if err := a.unpack(ctx, p, tmp, unpacked); err != nil {
			return Image{}, err
		}
	}
	if err := os.Mkdir(m.Dir, 0o755); err != nil {
		return Image{}, err
	}
	if err := moveLibraries(unpacked, m.Dir); err != nil {
		return Image{}, fmt.Errorf("libc6 of %s: %w", a.suite, err)
	}
	program, err := os.ReadFile(filepath.Join(unpacked, "usr/bin/linux.uml"))
	if err != nil {
		return Image{}, err
	}
	if err := setLoader(program); err != nil {
		return Image{}, err
	}
	if err := compilePreload(ctx, filepath.Join(m.Dir, UMLPreload)); err != nil {
		// Most machines do not need it.
		fmt.Fprintf(os.Stderr, "vm: %v; without that library user-mode Linux up to 6.12 does not work on a CPU with AMX\n", err)
	}
	return m, os.WriteFile(m.Path(), program, 0o755)
}

// UMLPreload is the name, in the directory of a user-mode kernel, of the shared
// library that it must be started with, if the file is there.
const UMLPreload = "ptrace.so"

//go:embed preload/ptrace.c
var preloadSource string

// compilePreload makes the library; its source says what it is good for.
func compilePreload(ctx context.Context, name string) error {
	source := name + ".c"
	if err := os.WriteFile(source, []byte(preloadSource), 0o644); err != nil {
		return err
	}
	defer os.Remove(source)
	_, err := run(ctx, "", "cc", "-shared", "-fPIC", "-O2", "-nostdlib", "-o", name, source)
	return err
}

// setLoader changes the name of the dynamic loader inside the program, in place.
// Starting the loader with the program as its argument would not do: user-mode
// Linux starts itself again through /proc/self/exe.
func setLoader(program []byte) error {
	const old = "/lib64/ld-linux-x86-64.so.2\x00"
	if n := bytes.Count(program, []byte(old)); n != 1 {
		return fmt.Errorf("user-mode Linux names its loader %d times, want once", n)
	}
	name := make([]byte, len(old))
	copy(name, UMLLoader)
	copy(program[bytes.Index(program, []byte(old)):], name)
	return nil
}

// moveLibraries moves the loader and the shared libraries of an unpacked libc6
// into dir.
func moveLibraries(unpacked, dir string) error {
	// bullseye's are in lib, with a versioned file behind each name.
	for _, lib := range []string{"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"} {
		names, _ := filepath.Glob(filepath.Join(unpacked, lib, "*.so*"))
		for _, name := range names {
			base := filepath.Base(name)
			if strings.HasPrefix(base, "ld-linux") {
				base = filepath.Base(UMLLoader)
			}
			data, err := os.ReadFile(name) // follows links
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, base), data, 0o755); err != nil {
				return err
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.Base(UMLLoader))); err != nil {
		return fmt.Errorf("no dynamic loader in it: %w", err)
	}
	return nil
}
