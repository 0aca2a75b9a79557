//go:build linux

// What the guest tells beyond output and status: where a program hangs, and the
// files that it left.

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/uring-go/uring/internal/vm/guest"
)

// threadStacks describes what each thread of the process does in the kernel.
// Threads with the same stack are listed together.
func threadStacks(pid int) []byte {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	threads := map[string]string{} // by stack
	var stacks []string
	for _, task := range tasks {
		stack := "in " + strings.TrimSpace(read(task+"/wchan")) + "\n" + read(task+"/stack")
		if threads[stack] == "" {
			stacks = append(stacks, stack)
		}
		name := strings.TrimSpace(read(task + "/comm"))
		threads[stack] += fmt.Sprintf("thread %s (%s): system call %s", filepath.Base(task), name, read(task+"/syscall"))
	}
	text := "threads in the kernel:\n"
	for _, stack := range stacks {
		text += threads[stack] + stack
	}
	return []byte(text)
}

// read returns a file's text, or "-": the thread may have ended, or the kernel
// may be configured without it.
func read(name string) string {
	text, err := os.ReadFile(name)
	if err != nil || len(text) == 0 {
		return "-\n"
	}
	return string(text)
}

// collect sends files, and directories with all that is in them. What is not
// there is left out: the program need not have written it.
func collect(paths []string, frames *guest.FrameWriter) error {
	for _, root := range paths {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				err = sendFile(path, frames)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("collecting %s: %w", root, err)
		}
	}
	return nil
}

func sendFile(path string, frames *guest.FrameWriter) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := frames.Write(guest.KindFile, []byte(path)); err != nil {
		return err
	}
	buf := make([]byte, guest.MaxPayload)
	for {
		n, err := f.Read(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := frames.Write(guest.KindData, buf[:n]); err != nil {
			return err
		}
	}
}
