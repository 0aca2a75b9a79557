//go:build linux

// What the guest sends, and where it goes.

package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/uring-go/uring/internal/vm/guest"
)

// A receiver takes the guest's frames apart.
type receiver struct {
	config         *Config
	boot           guest.Boot
	exit           *guest.Exit
	stdout, stderr int64
	file           *os.File // the collected file whose contents come next
}

func newReceiver(c *Config) *receiver { return &receiver{config: c} }

// receive takes frames up to the last one, and closes booted after the first.
func (r *receiver) receive(in *guest.FrameReader, booted chan<- struct{}) error {
	defer func() {
		if r.file != nil {
			r.file.Close()
		}
	}()
	for r.exit == nil {
		kind, data, err := in.Next()
		if err != nil {
			return err
		}
		if err := r.frame(kind, data); err != nil {
			return err
		}
		if kind == guest.KindBoot {
			close(booted)
		}
	}
	if r.file != nil {
		err := r.file.Close()
		r.file = nil
		return err
	}
	return nil
}

func (r *receiver) frame(kind guest.Kind, data []byte) (err error) {
	switch kind {
	case guest.KindBoot:
		if r.boot.Release != "" {
			return fmt.Errorf("the guest started twice")
		}
		return json.Unmarshal(data, &r.boot)
	case guest.KindStdout:
		r.stdout += int64(len(data))
		_, err = r.config.Stdout.Write(data)
	case guest.KindStderr:
		r.stderr += int64(len(data))
		_, err = r.config.Stderr.Write(data)
	case guest.KindNote:
		_, err = fmt.Fprintf(r.config.Stderr, "vm: %s\n", data)
	case guest.KindFile:
		return r.create(string(data))
	case guest.KindData:
		if r.file == nil {
			return fmt.Errorf("the guest sent contents without a file")
		}
		_, err = r.file.Write(data)
	case guest.KindExit:
		r.exit = new(guest.Exit)
		return json.Unmarshal(data, r.exit)
	default:
		return fmt.Errorf("the guest sent a frame of unknown kind %q", byte(kind))
	}
	return err
}

// create begins a collected file. The guest chooses its path only among those
// that were asked for.
func (r *receiver) create(path string) error {
	asked := slices.Contains(r.config.Collect, path) ||
		slices.ContainsFunc(r.config.CollectDirs, func(dir string) bool {
			return strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
		})
	if !asked || filepath.Clean(path) != path {
		return fmt.Errorf("the guest sent the file %q, which nobody asked for", path)
	}
	if r.file != nil {
		if err := r.file.Close(); err != nil {
			return err
		}
		r.file = nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	var err error
	r.file, err = os.Create(path)
	return err
}
