package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/uring-go/uring"
	"github.com/uring-go/uring/features"
	"github.com/uring-go/uring/liburing"
)

var versionCommand = &command{
	name:  "version",
	short: "versions of this program, its backend, liburing, Go and the kernel",
	long:  `Prints what matters in a report about this program, one line each.`,
	run:   runVersion,
}

type versionReport struct {
	Schema  int    `json:"schema"`
	Version string `json:"version"` // of this module, "" if the build does not say
	Backend string `json:"backend"` // what uring.New opens
	// The C library; empty in a build without it.
	LiburingHeader  string `json:"liburing_header"`
	LiburingLibrary string `json:"liburing_library"`
	Go              string `json:"go"`
	OS              string `json:"os"`
	Arch            string `json:"arch"`
	Kernel          string `json:"kernel"` // "" if there is none to ask
}

func versions() versionReport {
	r := versionReport{
		Schema:          1,
		Backend:         uring.DefaultBackend,
		LiburingHeader:  liburing.HeaderVersion(),
		LiburingLibrary: liburing.Version(),
		Go:              runtime.Version(),
		OS:              runtime.GOOS,
		Arch:            runtime.GOARCH,
		Kernel:          features.Ask(nil).Kernel,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		r.Version = info.Main.Version
	}
	return r
}

func runVersion(c *call) int {
	if len(c.args) > 0 {
		return c.fail(tooMany(c.args))
	}
	r := versions()
	if c.json {
		c.document(r)
		return exitOK
	}
	library := "not in this build"
	if r.LiburingHeader != "" {
		library = "header " + r.LiburingHeader + ", library " + r.LiburingLibrary
	}
	var t table
	t.row("uring", cmp.Or(r.Version, "unknown"))
	t.row("backend", r.Backend)
	t.row("liburing", library)
	t.row("go", r.Go+" "+r.OS+"/"+r.Arch)
	t.row("kernel", cmp.Or(r.Kernel, "unknown"))
	t.write(c)
	return exitOK
}
