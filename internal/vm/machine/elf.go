//go:build linux

// What a program needs to run elsewhere: its architecture and its libraries.

package machine

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// GOARCH returns the architecture that a program was compiled for.
func GOARCH(program string) (string, error) {
	f, err := elf.Open(program)
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program: %w", program, err)
	}
	defer f.Close()
	switch {
	case f.Machine == elf.EM_X86_64:
		return "amd64", nil
	case f.Machine == elf.EM_386:
		return "386", nil
	case f.Machine == elf.EM_AARCH64:
		return "arm64", nil
	case f.Machine == elf.EM_ARM:
		return "arm", nil
	case f.Machine == elf.EM_RISCV && f.Class == elf.ELFCLASS64:
		return "riscv64", nil
	}
	return "", fmt.Errorf("%s is a program for %v, which no kernel here runs", program, f.Machine)
}

// libraries returns the dynamic loader and the shared libraries of a program,
// or nothing if it is static.
func libraries(program string) ([]string, error) {
	f, err := elf.Open(program)
	if err != nil {
		if _, ok := errors.AsType[*elf.FormatError](err); ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil // a data file
		}
		return nil, err
	}
	defer f.Close()
	dynamic := false
	for _, p := range f.Progs {
		dynamic = dynamic || p.Type == elf.PT_INTERP
	}
	if !dynamic {
		return nil, nil
	}
	out, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("libraries of %s: ldd: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return parseLdd(program, string(out))
}

// parseLdd reads ldd's lines: "NAME => PATH (ADDRESS)" for a library, "PATH
// (ADDRESS)" for the loader, "NAME (ADDRESS)" for the kernel's own.
func parseLdd(program, out string) ([]string, error) {
	var list []string
	for line := range strings.Lines(out) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " (0x")
		name, path, arrow := strings.Cut(line, " => ")
		switch {
		case arrow && strings.HasPrefix(path, "/"):
			list = append(list, path)
			// The loader is asked for by its own name, which may be a link to
			// the path.
			if strings.HasPrefix(name, "/") {
				list = append(list, name)
			}
		case arrow:
			return nil, fmt.Errorf("%s needs the library %s: %s", program, name, path)
		case strings.HasPrefix(name, "/"):
			list = append(list, name)
		}
	}
	return list, nil
}
