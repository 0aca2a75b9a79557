//go:build linux

// Compiling the guest's first process. Its source is part of this package's
// binary: the runner works from any directory, for any architecture, as long as
// there is a go command.

package guest

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed *.go init/*.go
var source embed.FS

// The module that the source is compiled in: the same import path as here.
const (
	goMod      = "module github.com/uring-go/uring\n\ngo 1.26.0\n"
	packageDir = "internal/vm/guest"
)

// BuildInit returns the path of the first process's program for an architecture.
// It is kept in a directory under cache, and compiled when the source or the Go
// version is another one.
func BuildInit(ctx context.Context, cache, goarch string) (string, error) {
	files := map[string]string{"go.mod": goMod}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%s", runtime.Version(), goMod)
	err := fs.WalkDir(source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := source.ReadFile(name)
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
		files[packageDir+"/"+name] = string(text)
		return err
	})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "init")
	program := filepath.Join(dir, goarch+"-"+hex.EncodeToString(hash.Sum(nil))[:16])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	for name, text := range files {
		name = filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	built := filepath.Join(tmp, "init")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", built, "./"+packageDir+"/init")
	cmd.Dir = tmp
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GO111MODULE=on", "GOEXPERIMENT=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the guest's first process for %s: %w\n%s", goarch, err, out)
	}
	return program, os.Rename(built, program)
}
