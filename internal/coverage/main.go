//go:build linux

// Coverage writes docs/coverage.md: every operation and every registration of
// the kernel, what this module has for it, and where it was seen to run.
//
//	go run ./internal/coverage record -o FILE   run all scenarios here, note what ran
//	go run ./internal/coverage page             write the page from docs/coverage/*.json
//	go run ./internal/coverage check            fail if the page is not what page would write,
//	                                            or if a note of this kernel does not hold here
//
// Notes are small JSON files, one for each kernel that the scenarios were run
// on: for each operation the backends with which it succeeded, and the same for
// each registration. What cannot run anywhere has a reason in reasons.go.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	pageFile = "docs/coverage.md"
	noteDir  = "docs/coverage"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("coverage: ")
	out := flag.String("o", "", "`file` to write the notes to")
	if len(os.Args) < 2 {
		log.Fatal("usage: coverage record|page|check [-o FILE]")
	}
	command := os.Args[1]
	flag.CommandLine.Parse(os.Args[2:])
	var err error
	switch command {
	case "record":
		err = writeNotes(*out)
	case "page":
		var page []byte
		if page, err = makePage(); err == nil {
			err = os.WriteFile(pageFile, page, 0o644)
		}
	case "check":
		err = check()
	default:
		err = fmt.Errorf("%q is not record, page or check", command)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func writeNotes(path string) error {
	notes := record(context.Background())
	data, err := json.MarshalIndent(notes, "", "\t")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if path == "" {
		_, err = os.Stdout.Write(data)
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func makePage() ([]byte, error) {
	all, err := readNotes()
	if err != nil {
		return nil, err
	}
	methods, err := prepMethods("sys")
	if err != nil {
		return nil, err
	}
	api, err := publicNames(".")
	if err != nil {
		return nil, err
	}
	return page(methods, api, all)
}

func readNotes() ([]*Notes, error) {
	files, err := filepath.Glob(filepath.Join(noteDir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*Notes
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		n := new(Notes)
		if err := json.Unmarshal(data, n); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		all = append(all, n)
	}
	return all, nil
}

// check holds the page against its sources, and the notes of this kernel, if
// there are any, against this kernel.
func check() error {
	want, err := makePage()
	if err != nil {
		return err
	}
	have, err := os.ReadFile(pageFile)
	if err != nil {
		return err
	}
	if !bytes.Equal(want, have) {
		return fmt.Errorf("%s is out of date: run go run ./internal/coverage page", pageFile)
	}
	all, err := readNotes()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(n *Notes) bool { return n.Kernel == kernelRelease() })
	if i < 0 {
		fmt.Printf("%s agrees with its sources; there are no notes of this kernel, %s\n", pageFile, kernelRelease())
		return nil
	}
	now := record(context.Background())
	if missing := all[i].minus(now); len(missing) > 0 {
		return fmt.Errorf("ran on this kernel when it was noted, and does not now: %v", missing)
	}
	fmt.Printf("%s agrees with its sources, and what is noted of this kernel, %s, holds\n", pageFile, kernelRelease())
	return nil
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
