// Update puts records of liburing into internal/golden/streams.jsonl; those of
// other kernels stay.
//
//	go run ./internal/golden/update NAME=FILE...
//
// NAME is how scripts/kernels calls the kernel, and FILE was written by "uring
// record". It prints the differences between kernels that differences.json does
// not explain. scripts/kernels --record calls it.
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/uring-go/uring/internal/golden"
	"github.com/uring-go/uring/internal/scenario"
)

const file = "internal/golden/streams.jsonl"

func main() {
	log.SetFlags(0)
	log.SetPrefix("update: ")
	if err := update(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func update(args []string) error {
	set, err := golden.Committed()
	if err != nil {
		return err
	}
	for _, arg := range args {
		name, path, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=FILE", arg)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		traces, err := scenario.ReadTraces(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := set.Add(name, traces); err != nil {
			return err
		}
	}
	if err := os.WriteFile(file, set.Marshal(), 0o644); err != nil {
		return err
	}
	list, err := golden.Differences()
	if err != nil {
		return err
	}
	for _, c := range set.Unexplained(list) {
		fmt.Printf("not explained: %s, %s, on %s\n", c.Scenario, c.Mode, c.Kernel)
	}
	return nil
}
