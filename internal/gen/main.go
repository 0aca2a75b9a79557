// Command gen writes the kernel's io_uring ABI as Go: the files of package sys
// whose names begin with z.
//
//	go run ./internal/gen -kernel DIR -liburing DIR [-out DIR] [-check]
//
// DIR is what an -I argument of a C compiler names: the directory that holds
// linux/io_uring.h, and the one that holds liburing/io_uring.h. The kernel's
// header decides; a name that only liburing's copy has is added. A C compiler
// answers every question about values and layout (package cabi), so nothing
// here can read a header wrongly; scripts/generate fetches headers and runs
// this.
//
// With -check nothing is written. If the headers are those that the committed
// files were made from, these must be what gen would write, byte for byte. If
// the headers are others, newer ones, every committed constant and structure
// must still be true; what is new is printed and is no failure.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/uring-go/uring/internal/gen/cabi"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("gen", flag.ContinueOnError)
	fs.SetOutput(stderr)
	cc := fs.String("cc", "cc", "C compiler, with arguments if need be")
	kernel := fs.String("kernel", "", "include directory of the kernel's headers")
	liburing := fs.String("liburing", "", "include directory of liburing")
	out := fs.String("out", ".", "root of the module")
	verify := fs.Bool("check", false, "compare, do not write")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *kernel == "" || *liburing == "" || fs.NArg() != 0 {
		fs.Usage()
		return fmt.Errorf("need -kernel and -liburing, and nothing else")
	}

	for _, dir := range []*string{kernel, liburing} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = abs
	}
	in, err := read(strings.Fields(*cc), *kernel, *liburing)
	if err != nil {
		return err
	}
	files, err := emit(in)
	if err != nil {
		return err
	}
	if *verify {
		return check(stdout, *out, in, files)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(*out, name), data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// read asks the compiler about both sets of headers and joins the answers.
func read(cc []string, kernel, liburing string) (*input, error) {
	in := &input{}
	load := func(names, only []string, dirs ...string) (*cabi.ABI, error) {
		return load(cc, in, names, only, dirs...)
	}
	k, err := load(headers, nil, kernel)
	if err != nil {
		return nil, err
	}
	x, err := load(extras, extraNames, kernel)
	if err != nil {
		return nil, err
	}
	// liburing's own headers lean on the kernel's.
	l, err := load(lib, nil, liburing, kernel)
	if err != nil {
		return nil, err
	}

	in.Consts = k.Consts
	for _, c := range l.Consts {
		mine, ok := k.Const(c.Name)
		switch {
		case !ok:
			in.Consts = append(in.Consts, c)
		case mine.Value() != c.Value() && !c.Grows():
			return nil, fmt.Errorf("%s is %s in the kernel's header, %s in liburing's", c.Name, mine.Value(), c.Value())
		}
	}
	in.Consts = append(in.Consts, x.Consts...)

	all := k.Structs
	for _, s := range l.Structs {
		mine, ok := k.Struct(s.Name)
		if !ok {
			all = append(all, s)
			continue
		}
		if mine.Size != s.Size && !s.Grows() {
			return nil, fmt.Errorf("struct %s has %d bytes in the kernel's header, %d in liburing's", s.Name, mine.Size, s.Size)
		}
		for _, f := range s.Members() {
			if g, ok := mine.Lookup(f.Name); ok && !f.Reserved() && (f.Offset != g.Offset || f.Size != g.Size) {
				return nil, fmt.Errorf("struct %s: %s has %d bytes at %d in the kernel's header, %d at %d in liburing's",
					s.Name, f.Name, g.Size, g.Offset, f.Size, f.Offset)
			}
		}
	}
	in.Structs, err = buildStructs(append(all, x.Structs...))
	return in, err
}

// load reads the headers called names from the first of dirs, and notes their
// checksums in in. If only is not nil, other names are left out.
func load(cc []string, in *input, names, only []string, dirs ...string) (*cabi.ABI, error) {
	var flags []string
	for _, d := range dirs {
		flags = append(flags, "-isystem", d)
	}
	rel := func(path string) string {
		r, err := filepath.Rel(dirs[0], path)
		if err != nil {
			return ""
		}
		return filepath.ToSlash(r)
	}
	abi, err := cabi.Load(cabi.Config{
		CC:    cc,
		Flags: flags,
		// Old copies of liburing use the kernel's time types without including them.
		Includes: slices.Concat([]string{"linux/time_types.h"}, names),
		Keep: func(path, name string) bool {
			return slices.Contains(names, rel(path)) && (only == nil || slices.Contains(only, name))
		},
	})
	if err != nil {
		return nil, err
	}
	if len(abi.Consts) == 0 {
		return nil, fmt.Errorf("%s: no constants in %s", dirs[0], strings.Join(names, ", "))
	}
	for _, f := range abi.Files {
		in.Sources = append(in.Sources, source{rel(f.Path), f.SHA256})
	}
	return abi, nil
}
