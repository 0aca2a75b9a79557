//go:build linux

// The command "list": the kernels, and which of them are in the cache.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/uring-go/uring/internal/vm/kernel"
)

func listCommand(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("list: unexpected argument %q", args[0])
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KERNEL\tCACHED\tSUITE\tPACKAGE")
	for _, spec := range kernel.Known() {
		m, err := kernel.Lookup(spec)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(w, "%v\t-\t-\t-\n", spec)
		case err != nil:
			return err
		default:
			fmt.Fprintf(w, "%v\t%s\t%s\t%s\n", spec, m.Version, m.Suite, m.Package)
		}
	}
	return w.Flush()
}
