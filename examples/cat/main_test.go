//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/uring-go/uring/proactor"
	"github.com/uring-go/uring/ringfs"
)

func TestCat(t *testing.T) {
	for name, fallback := range map[string]proactor.Fallback{"ring": proactor.FallbackAuto, "fallback": proactor.FallbackAlways} {
		t.Run(name, func(t *testing.T) {
			p, err := proactor.New(&proactor.Config{Fallback: fallback})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			dir := t.TempDir()
			long := bytes.Repeat([]byte("0123456789"), 100_000)
			os.WriteFile(dir+"/a", []byte("first\n"), 0o600)
			os.WriteFile(dir+"/b", long, 0o600)
			r, w, err := ringfs.Pipe(p)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			failed := make(chan error)
			go func() {
				err := cat(t.Context(), ringfs.New(p), w, []string{dir + "/a", dir + "/none", dir + "/b"})
				w.Close()
				failed <- err
			}()
			got, err := io.ReadAll(r)
			if err != nil || string(got) != "first\n"+string(long) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err := <-failed; !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("for what is not there: %v", err)
			}
		})
	}
}
